"""What benchmarks.edits measures, on pictures where the answer is known."""

import pytest
import torch

from benchmarks import edits


def test_blocks_are_flat_and_keep_their_mean():
    images = torch.rand(2, 3, 64, 64)
    flat = edits.blocks(images)
    assert flat.shape == images.shape
    assert (flat[..., :8, :8] == flat[..., :1, :1]).all()
    assert flat[0, 0, 8, 16].item() == pytest.approx(images[0, 0, 8:16, 16:24].mean().item())


def test_each_number_is_of_its_picture_and_start(monkeypatch):
    """Results that are the picture itself but for one start, where they are white."""
    asked = []

    def sdedit(model, denoise, images, i_start, seeds):
        asked.append((denoise, i_start, list(seeds)))
        return torch.full_like(images, 3.0) if i_start == 10 else images

    monkeypatch.setattr(edits, "sdedit", sdedit)
    monkeypatch.setattr(edits, "generate", lambda model, denoise, seeds: torch.zeros(2, 3, 64, 64))
    monkeypatch.setattr(edits, "prompted", lambda model, prompts, gamma: (prompts, gamma))
    monkeypatch.setattr(edits, "name_ranks", lambda judge, x, names: [len(n) for n in names])
    found = edits.shapes(None, None, -torch.ones(2, 3, 64, 64), ["owl", "sun"])
    assert list(found["name"]) == [0, 390, 510, 600, 690, 780, 870, 990]
    assert found["name"][690] == {"rank": [3, 3], "distance": [2.0, 2.0]}  # cut to [-1, 1]
    assert found["name"][780]["distance"] == [0, 0]
    assert found["name"][990]["distance"] == [1, 1]
    assert asked[0] == ((["an owl", "a sun"], 5), 20, [0, 1])
    assert asked[-1] == (([edits.NAMELESS] * 2, 5), 4, [0, 1])
    monkeypatch.setattr(edits, "FROM_THINGS", (22, 10))
    rows = edits.forces(None, None, 2)
    assert len(rows) == len(edits.CHANGES) * len(edits.GAMMAS)
    assert rows[0] == {"of": "mushroom", "to": "umbrella", "gamma": 1} | {
        t: [[8, 8], [8, 8]] for t in (330, 690)
    }
