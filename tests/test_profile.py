"""The two sizes of a chapter's run. The module reads the environment once, so each test reads it anew."""

import runpy

import pytest

from diffusion_utils import profile


@pytest.mark.parametrize("setting, steps", [(None, 300), ("full", 300), ("fast", 3)])
def test_each_profile_has_its_own_value_and_the_book_is_drawn_in_full(monkeypatch, setting, steps):
    monkeypatch.delenv("BOOK_PROFILE", raising=False)
    if setting:
        monkeypatch.setenv("BOOK_PROFILE", setting)
    by_profile = runpy.run_path(profile.__file__)["by_profile"]
    assert by_profile(full=300, fast=3) == by_profile(300, 3) == steps


def test_another_profile_is_refused(monkeypatch):
    monkeypatch.setenv("BOOK_PROFILE", "quick")
    with pytest.raises(ValueError, match="must be full or fast, got 'quick'"):
        runpy.run_path(profile.__file__)
