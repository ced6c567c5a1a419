"""What the benchmarks measure, on sets where the answer is known."""

import importlib
import itertools
import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from accelerate import Accelerator

from benchmarks import (
    copying,
    emoji64_quality,
    inpainting,
    mnist_quality,
    pairs,
    precision,
    train_step,
    unseen_words,
)
from benchmarks._results import RESULTS
from diffusion_utils.emoji64 import recipe as emoji64_recipe
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.files import ROOT
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.unet import UNet
from diffusion_utils.pictures import shipped_image, to_unit


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks").glob("[!_]*.py")), ids=lambda p: p.stem
)
def test_every_benchmark_can_be_started(path):
    assert callable(importlib.import_module(f"benchmarks.{path.stem}").main)


@pytest.fixture(autouse=True)
def fewer(monkeypatch):
    monkeypatch.setattr(mnist_quality, "SIGMAS", (0.0, 0.5))
    monkeypatch.setattr(mnist_quality, "STEPS", (2,))


@pytest.fixture
def digits():
    return to_unit(mnist(train=False)[0][:8])


def test_denoising_of_a_network_that_does_nothing_is_the_noisy_image(digits):
    clean, noisy = mnist_quality.denoising(torch.nn.Identity(), digits)
    assert clean["blur_width"] == 0 and clean["noisy"]["psnr"]["mean"] == 100
    assert noisy["network"] == noisy["noisy"]
    assert abs(noisy["noisy"]["psnr"]["mean"] - 6.02) < 0.3  # 20 log10(1 / 0.5)
    assert noisy["blur"]["psnr"]["mean"] > noisy["noisy"]["psnr"]["mean"]


def test_samples_are_measured_within_the_range_of_digits(monkeypatch):
    seen = {}

    def record(name):
        def measure(classifier, *images):
            seen[name] = images[-1] if name == "fid" else images[0]
            return (1.0, 0.0) if name == "accuracy" else 1.0

        return measure

    for name in ("fid", "accuracy", "diversity"):
        monkeypatch.setattr(mnist_quality, name, record(name))
    (row,) = mnist_quality.strided(UNet(8, time=True), 4)
    assert row["fid"] == {"mean": 1.0, "std": 0.0}
    assert row["steps"] == 2 and row["spread"] > 0
    network = UNet(8, time=True, num_classes=10)
    rows = list(mnist_quality.guidance(network, 10, 2, (0, 3), mnist_quality.to_sets))
    assert [row["gamma"] for row in rows] == [0, 3]
    assert set(seen) == {"fid", "accuracy", "diversity"}
    for images in seen.values():
        assert images.min() == 0 and images.max() == 1


def test_real_digits_are_close_to_other_real_digits():
    floor = mnist_quality.floor(200)
    noise = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    test = to_unit(mnist(train=False)[0][:200])
    far = mnist_quality.fid(mnist_quality.load_classifier(), test, noise)
    assert 0 < floor["fid"]["std"] < floor["fid"]["mean"] < far / 3
    assert abs(floor["spread"] - to_unit(mnist()[0][:5000]).std(0).mean()) < 0.01


def test_sets_of_real_digits_share_no_digit():
    images = torch.cat(mnist_quality.real_sets(1000))
    assert len(images) == len({image.numpy().tobytes() for image in images}) == 10_000


def test_distances_are_those_of_the_pairs(digits):
    one, other = digits.split(4)
    known = mnist_quality.fid(mnist_quality.load_classifier(), one, other)
    found = mnist_quality.distances([one, one], [other, other])
    assert found["mean"] == pytest.approx(known) and found["std"] == pytest.approx(0)


def test_a_run_that_is_measured_again_replaces_the_one_before(tmp_path, monkeypatch):
    judge = "models/emoji64_evaluator/evaluator.safetensors"
    run = {"weights": "w", "names": 508, "gamma": 4, "sampling_steps": 30}
    assert emoji64_quality.same_run(run, run | {"top1": 0.5})
    for other in {"weights": "x"}, {"names": 64}, {"gamma": 1}, {"sampling_steps": 9}:
        assert not emoji64_quality.same_run(run, run | other)
    known = {"sha256": {"unet": "w", judge: "j"}, "runs": [run], "ranks": {}}
    monkeypatch.setattr(emoji64_quality, "FILE", tmp_path / "results.json")
    emoji64_quality.FILE.write_text(json.dumps(known))
    assert emoji64_quality.earlier(known["sha256"]) == known
    kept = emoji64_quality.earlier({"unet": "x", judge: "j"})
    assert kept["runs"] == [run] and "ranks" not in kept
    assert emoji64_quality.earlier({"unet": "w", judge: "k"}) == {"runs": []}


def test_the_surest_seed_is_sure_in_both_ways():
    assert pairs.surest([[0.9, 0.1], [0.4, 0.5], [0.2, 0.3]]) == [1, 2, 0]


def test_seeds_count_where_both_names_are_near_the_front():
    row = {"ranks": [[1, 1], [1, 5], [6, 1], [2, 3]]}
    assert [pairs.both_within(row, first) for first in (1, 5)] == [1, 3]


def test_each_way_to_look_at_a_picture_has_its_own_right_name():
    """A judge that is twice as sure of "dark" for a dark picture, and the other way round."""

    def judge(pictures):
        dark = pictures.mean((1, 2, 3)) < 0
        return torch.where(dark, 2.0, 0.5).log()[:, None] * torch.tensor([1.0, 0.0])

    names = ["dark", "bright"]
    pictures = torch.tensor([-1.0, 0.5])[:, None, None, None].expand(2, 3, 8, 8)
    looks = lambda x: x, lambda x: -x
    found = pairs.judged((judge, names, None), names, pictures, looks)
    assert found["ranks"] == [[1, 1], [2, 2]]
    assert found["sure"] == [pytest.approx([0.667] * 2), pytest.approx([0.333] * 2)]
    assert pairs.prompts("jigsaw", ("owl", "sun")) == ["an owl", "a sun"]
    assert pairs.prompts("negative", ("owl", "sun")) == [
        "an owl", "a sun on a black background",
    ]  # fmt: skip
    assert pairs.prompts("hybrid in outlines", ("owl", "sun")) == [
        "an owl", "a sun with black outlines",
    ]  # fmt: skip


def test_each_seam_is_of_its_picture_gamma_and_number_of_times(monkeypatch):
    """A model that leaves the picture as it is, or draws a flat one: gamma and times say which."""
    boat = shipped_image("sailboat")

    def inpaint(model, denoise, image, mask, seeds, times):
        assert (image == boat).all() and mask.sum() == 36 * 30
        flat = (denoise, times) == (("a sailboat", 3), 8)
        return (mask if flat else 0) + boat.expand(len(seeds), -1, -1, -1)

    monkeypatch.setattr(inpainting, "inpaint", inpaint)
    monkeypatch.setattr(inpainting, "prompted", lambda model, prompt, gamma: (prompt, gamma))
    *as_it_is, last = inpainting.rows(None, "sailboat", range(2))
    assert [(row["gamma"], row["times"]) for row in [*as_it_is, last]] == [
        (gamma, times) for gamma in (1, 3) for times in (1, 2, 4, 8)
    ]
    known = json.loads((RESULTS / "inpainting.json").read_text())["original"]["sailboat"]
    for row in as_it_is:
        assert row["picture"] == "sailboat"
        assert row["seam"] == pytest.approx([known] * 2)
    assert min(last["seam"]) > 2 * known


def test_each_word_has_the_ranks_of_its_thing_seed_by_seed():
    """A judge that names a black picture "night", a white one "day"."""

    def judge(pictures):
        return pictures.mean((1, 2, 3))[:, None] * torch.tensor([-1.0, 1.0])

    first, second = torch.tensor([[-1.0, 1], [1, 1]])[..., None, None, None].expand(2, 2, 3, 8, 8)
    found = unseen_words.by_name((judge, ["night", "day"], None), ["night", "day"], [first, second])
    assert found == {"night": (1, 2), "day": (1, 1)}
    assert unseen_words.unseen_words()["sheep"] == "ewe"


def test_a_training_drawing_is_near_itself_and_of_its_own_thing():
    data = emoji()
    names = ["rocket", "skull"]
    chosen = [data.name_index.tolist().index(data.names.index(name)) for name in names]
    drawn = torch.stack([plain(data, chosen), plain(data, chosen[::-1])])
    found = copying.measured(data, names, drawn)
    assert found["same thing"] == {"rocket": [True, False], "skull": [True, False]}
    assert max(map(max, found["nearest"].values())) < 0.01
    assert found["apart"]["rocket"] == found["apart"]["skull"] > 0.2
    other = copying.of_drawings(data, names)
    assert 0.1 < other["apart"]["skull"] < 1 and len(other) == 2


@pytest.fixture
def tiny_recipe(monkeypatch):
    tiny = replace(RECIPES["b3"], hidden=4, batch_size=8)
    monkeypatch.setitem(RECIPES, "b3", tiny)
    return tiny


def test_training_speed_is_that_of_each_step(tiny_recipe):
    for mode in train_step.plain, train_step.ours:
        start = time.perf_counter()
        seconds = mode("b3", 3)["seconds"]
        assert len(seconds) == 3 and min(seconds) > 0
        assert sum(seconds) < time.perf_counter() - start


def test_the_speed_of_emoji64_is_that_of_each_step(monkeypatch):
    tiny = partial(emoji64_recipe.Recipe, channels=(8, 16, 32), batch_size=4)
    monkeypatch.setattr(emoji64_recipe, "Recipe", tiny)
    found = train_step.emoji64("emoji64", 3)
    assert len(found["seconds"]) == 3 and min(found["seconds"]) > 0
    assert found["batch_size"] == 4
    # the convolutions at 16x16 alone: in, 4 and 4 in the blocks, out; forward and twice backward
    layers = 12 * 8 + 4 * 8 * 8 + (16 * 8 + 3 * 8 * 8) + 8 * 12
    assert 2 * 3 * 4 * 9 * 256 * layers / 1e9 < found["gflop"] < 0.3


def test_precisions_are_compared_on_the_same_batches(tiny_recipe):
    fp32, again, bf16 = (precision.losses(tiny_recipe, p, 4) for p in ("no", "no", "bf16"))
    other = precision.losses(replace(tiny_recipe, seed=1), "no", 4)
    assert fp32 == again != bf16 and len(fp32) == 4
    assert bf16 == pytest.approx(fp32, rel=0.02)
    assert other != pytest.approx(fp32, rel=0.02)


def test_the_roofline_is_of_every_convolution_once(tiny_recipe, monkeypatch):
    """With a clock that counts its calls, each pass of a layer takes 1."""
    clock = itertools.count()
    monkeypatch.setattr(train_step.time, "perf_counter", lambda: next(clock))
    kernels = [w for w in tiny_recipe.network().parameters() if w.ndim == 4]
    assert train_step.convolution_seconds(tiny_recipe, "no") == len(kernels) > 10


def test_the_shares_of_a_step_add_up(tiny_recipe):
    shares = train_step.shares(tiny_recipe, Accelerator(cpu=True))
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0
    assert {"convolution", "GELU", "BatchNorm", "Adam"} < set(shares)


def test_nothing_is_loaded_before_a_mode_of_the_speed_test_configures_it():
    code = "import sys, benchmarks.train_step; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
