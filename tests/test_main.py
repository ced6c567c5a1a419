"""The commands at the shell, on a model that needs no weights."""

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_utils import __main__ as shell
from diffusion_utils.data import IMAGES
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.pretrained import TextToImage
from diffusion_utils.schedule import Schedule


@pytest.fixture(autouse=True)
def model(monkeypatch):
    schedule = Schedule.linear(1e-4, 0.02, T=1000)

    def network(x_t, t, level):
        """Exact for images that are of one grey, which the prompt's length decides."""
        alpha_bar = schedule.at(t, x_t)
        image = level[:, :, None, None]
        return NoiseEstimate((x_t - alpha_bar.sqrt() * image) / (1 - alpha_bar).sqrt())

    def encode(prompt):
        return (torch.tensor([[len(prompt) / 20]]),)

    fake = TextToImage(network, encode, schedule)
    monkeypatch.setattr(shell, "load_pretrained", lambda: fake)


def drawn(tmp_path, *arguments):
    shell.main([*arguments, "--out", str(tmp_path / "x.png")])
    return np.asarray(Image.open(tmp_path / "x.png")).astype(float) / 127.5 - 1


def test_sample(tmp_path):
    x = drawn(tmp_path, "sample", "a dog", "--gamma", "2", "--seed", "0", "1")
    assert x.shape == (64, 128, 3)
    assert abs(x.mean() - 0.5) < 0.02  # 2 * 5 / 20


def test_anagram_shows_both_ways(tmp_path):
    x = drawn(tmp_path, "anagram", "a dog", "a cat", "--gamma", "1")
    assert x.shape == (64, 128, 3)
    assert np.allclose(x[:, 64:], x[::-1, :64])


def test_hybrid_is_the_first_prompt_from_afar(tmp_path):
    x = drawn(tmp_path, "hybrid", "a dog", "a locomotive", "--gamma", "1")
    assert x.shape == (64, 64, 3)
    assert abs(x.mean() - 0.25) < 0.02  # 5 / 20: one grey has no fine band


def test_sdedit_from_the_start_forgets_the_picture(tmp_path):
    boat = str(IMAGES / "sailboat.png")
    early = drawn(tmp_path, "sdedit", boat, "a dog", "--start", "0", "--gamma", "1")
    assert early.std() < 0.05


def test_sdedit_from_late_takes_the_last_steps_only(tmp_path, capsys):
    boat = str(IMAGES / "sailboat.png")
    drawn(tmp_path, "sdedit", boat, "a dog", "--start", "31")
    assert "2/2" in capsys.readouterr().err


def test_inpaint_changes_the_hole_only(tmp_path):
    boat = str(IMAGES / "sailboat.png")
    x = drawn(
        tmp_path,
        "inpaint",
        boat,
        "a dog",
        "--gamma",
        "1",
        "--hole",
        "8",
        "8",
        "24",
        "32",
    )
    picture = Image.open(boat).resize((64, 64), Image.Resampling.BICUBIC)
    changed = abs(x - (np.asarray(picture) / 127.5 - 1)).max(2) > 0.3
    assert not changed[40:, 40:].any()
    assert abs(x[8:32, 8:24] - 0.25).max() < 0.1


def test_only_png_files_are_written(capsys):
    with pytest.raises(SystemExit):
        shell.main(["sample", "a dog", "--out", "x.jpg"])
    assert "x.jpg must end in .png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", " "], "prompt is empty"),
        (["sdedit", "none.png", "a dog"], "no picture at none.png"),
        (["sdedit", str(IMAGES / "cactus.png"), "a dog", "--start", "33"], "0 .. 32"),
        (["hybrid", "a dog", "a lion", "--blur", "0"], "sigmas must be positive"),
    ],
)
def test_errors_are_one_line_and_write_nothing(tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        drawn(tmp_path, *arguments)
    assert not list(tmp_path.iterdir())
