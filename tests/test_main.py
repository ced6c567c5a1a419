"""The commands at the shell, most of them on a model that needs no weights."""

import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_utils import __main__ as shell
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import IMAGES
from diffusion_utils.schedule import Schedule
from diffusion_utils.text_to_image import TextToImage


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
    x = drawn(tmp_path, "sample", "a dog", "--gamma", "2", "--seed", "0,1")
    assert x.shape == (64, 128, 3)
    assert abs(x.mean() - 0.5) < 0.02  # 2 * 5 / 20


def test_options_may_come_first(tmp_path):
    x = drawn(tmp_path, "sample", "--seed", "3", "a rocket", "--gamma", "1")
    assert x.shape == (64, 64, 3)
    assert abs(x.mean() - 0.4) < 0.02  # 8 / 20


def test_anagram_shows_both_ways(tmp_path):
    x = drawn(tmp_path, "anagram", "a dog", "a cat", "--gamma", "1")
    assert x.shape == (64, 128, 3)
    assert np.allclose(x[:, 64:], x[::-1, :64])


def test_hybrid_is_the_first_prompt_from_afar(tmp_path, capsys):
    x = drawn(tmp_path, "hybrid", "a dog", "a locomotive", "--gamma", "1")
    assert x.shape == (64, 64, 3)
    assert abs(x.mean() - 0.25) < 0.02  # 5 / 20: one grey has no fine band
    bars = capsys.readouterr().err
    # a bar begins once; its end may be drawn twice
    assert bars.count(" 0/33 ") == 2 and bars.count(" 0/7 ") == 1
    assert bars.count("33/33") >= 2 and bars.count("7/7") >= 1


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
    x = drawn(tmp_path, "inpaint", boat, "a dog", "--gamma", "1", "--hole", "8", "8", "24", "32")
    picture = Image.open(boat).resize((64, 64), Image.Resampling.BICUBIC)
    changed = abs(x - (np.asarray(picture) / 127.5 - 1)).max(2) > 0.3
    assert not changed[40:, 40:].any()
    assert abs(x[8:32, 8:24] - 0.25).max() < 0.1


CACTUS = str(IMAGES / "cactus.png")


@pytest.fixture
def loads(monkeypatch):
    """Collects how often the model was loaded."""
    calls = []
    monkeypatch.setattr(shell, "load_pretrained", lambda: calls.append("a model"))
    return calls


def test_a_start_out_of_range_is_told_before_the_model_is_loaded(capsys, loads):
    with pytest.raises(SystemExit):
        shell.main(["sdedit", CACTUS, "a dog", "--start", "33", "--out", "x.png"])
    assert "--start: invalid choice: 33" in capsys.readouterr().err
    assert not loads


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", " "], "prompt is empty"),
        (["sample", "a dog", "--gamma", "nan"], "gamma must be a finite number"),
        (["sample", "a dog", "--seed", "0.9"], "whole number in 0 .. 4294967295"),
        (["sample", "a dog", "--seed", "0,-1"], "whole number in 0 .. 4294967295"),
        (["sample", "a dog", "--seed", str(2**32)], "whole number in 0 .. 4294967295"),
        (["sample", "a dog", "--seed", str(2**64)], "whole number in 0 .. 4294967295"),
        (["sample", "a dog", "--seed", "0,"], "whole number in 0 .. 4294967295"),
        (["sample", "a dog", "--seed", "zero"], "whole number in 0 .. 4294967295"),
        (["anagram", "a dog", ""], "prompt is empty"),
        (["sdedit", "none.png", "a dog"], "no picture at none.png"),
        (["inpaint", CACTUS, "a dog", "--hole", "9", "9", "9", "9"], "a hole is left"),
        (["hybrid", "a dog", "a lion", "--blur", "0"], "sigmas must be positive"),
    ],
)
def test_errors_are_one_line_before_the_model_is_loaded(tmp_path, loads, arguments, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        drawn(tmp_path, *arguments)
    assert not loads and not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["x.jpg", "x", ".png"])
def test_only_png_files_are_written(tmp_path, loads, out):
    with pytest.raises(SystemExit, match="error: --out is a file that ends in .png"):
        shell.main(["sample", "a dog", "--out", str(tmp_path / out)])
    assert not loads


@pytest.mark.parametrize("verb", ["sdedit", "inpaint"])
def test_the_picture_that_is_read_is_not_written_over(tmp_path, loads, verb):
    picture, link = tmp_path / "photo.png", tmp_path / "link.png"
    picture.write_bytes(Path(CACTUS).read_bytes())
    link.symlink_to(picture)
    for out in (picture, link):
        with pytest.raises(SystemExit, match="is the file that is read"):
            shell.main([verb, str(picture), "a dog", "--out", str(out)])
    assert picture.read_bytes() == Path(CACTUS).read_bytes() and not loads


@pytest.mark.parametrize(
    ("verb", "own"),
    [
        ("sample", "prompt"),
        ("anagram", "prompt prompt"),
        ("hybrid", "prompt prompt"),
        ("sdedit", "image prompt"),
        ("inpaint", "image prompt"),
    ],
)
def test_each_verb_says_what_it_takes(capsys, verb, own):
    with pytest.raises(SystemExit) as done:
        shell.main([verb, "--help"])
    usage = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert done.value.code == 0 and usage.endswith(own)
    assert all(option in usage for option in ("--out OUT", "--gamma", "--seed"))


def test_errors_while_drawing_are_one_line_and_write_nothing(tmp_path, monkeypatch):
    def broken():
        raise ValueError("damaged weights")

    monkeypatch.setattr(shell, "load_pretrained", broken)
    with pytest.raises(SystemExit, match="error: damaged weights"):
        drawn(tmp_path, "sample", "a dog")
    assert not list(tmp_path.iterdir())


def test_control_c_ends_with_one_line(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "argv", ["", "sample", " ", "--out", "x.png"])
    try:
        with pytest.raises(SystemExit, match="prompt is empty"):
            runpy.run_path(shell.__file__, run_name="__main__")
        with pytest.raises(SystemExit, match="^\nstopped$"):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_with_the_weights_that_ship(tmp_path):
    out = tmp_path / "edited.png"
    command = [sys.executable, "-m", "diffusion_utils", "sdedit", "--start", "32"]
    picture = "data/images/mushroom.png"
    done = subprocess.run(
        [*command, picture, "a mushroom", "--out", out],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{out}\n"
    assert "1/1" in done.stderr and "Loading weights" not in done.stderr
    with Image.open(out) as edited:
        assert edited.format == "PNG" and edited.size == (64, 64)
        drawing = Image.open(ROOT / picture).convert("RGB").resize((64, 64))
        difference = np.asarray(edited, float) - np.asarray(drawing, float)
    assert abs(difference).mean() < 10  # of 255: one step changes little
