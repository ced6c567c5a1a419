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

from benchmarks import emoji64_quality, inpainting, mnist_quality, pairs, precision, train_step
from benchmarks._results import RESULTS, digests
from diffusion_utils.emoji64 import recipe as emoji64_recipe
from diffusion_utils.files import ROOT
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import noise_objective
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.unet import UNet, unet_denoiser
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
    monkeypatch.setattr(mnist_quality, "STEPS_BETA", (3,))
    monkeypatch.setattr(mnist_quality, "GAMMAS", (0, 3))


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
    seen, features_of = [], mnist_quality.features_of
    sets = features_of(mnist_quality.mixed_test_digits()[0][:1000]).split(500)
    monkeypatch.setattr(mnist_quality, "features_of_real", lambda: sets)
    monkeypatch.setattr(mnist_quality, "features_of", lambda x: seen.append(x) or features_of(x))
    network = UNet(8, time=True).eval()
    *rows, real = mnist_quality.strided({5: network, 20: network}, 20)
    assert [(row["way"], row["steps"]) for row in rows] == [
        ("beta tilde", 2), ("beta", 3), ("epoch 5", 50), ("BatchNorm in train mode", 50),
    ]  # fmt: skip
    assert real["fid"] < min(row["fid"] for row in rows)
    network = UNet(8, time=True, num_classes=10)
    *rows, real = mnist_quality.guidance(network, 20, 2)
    assert [row["gamma"] for row in rows] == [0, 3]
    assert real["accuracy"] > 0.9 and real["fid"] < min(row["fid"] for row in rows)
    for images in seen:
        assert images.min() == 0 and images.max() == 1


def test_the_larger_variance_of_a_step_spreads_more(digits):
    network = UNet(8, time=True).eval()
    plain = unet_denoiser(network, 300)
    narrow, wide = (
        mnist_quality.samples(denoise, 8, 3) for denoise in (plain, mnist_quality.with_beta(plain))
    )
    assert (narrow != wide).any()
    assert (plain(digits, 9).eps == mnist_quality.with_beta(plain)(digits, 9).eps).all()


def test_the_loss_of_a_network_that_guesses_nothing_is_that_of_noise(digits):
    network = UNet(8, time=True, num_classes=10).eval()
    for part in network.out.parameters():
        torch.nn.init.zeros_(part)
    noise, digit = mnist_quality.errors_at(network, 299, digits)
    assert noise.mean() == pytest.approx(1, abs=0.1)
    abar = mnist_quality.SCHEDULE.at(299).item()
    assert (digit / noise).allclose(torch.tensor((1 - abar) / abar), rtol=1e-3)
    (row, *_) = mnist_quality.with_and_without_class(network, 4)
    assert row["with"] == row["without"] and row["standard_error"] == 0


def test_the_loss_of_each_digit_is_that_of_training(digits):
    network = UNet(8, time=True).eval()
    (x_t, times), eps = noise_objective(digits, torch.Generator().manual_seed(0))
    expected = (network(x_t, times) - eps).square().mean()
    assert mnist_quality.losses(network, digits).mean() == pytest.approx(expected.item(), rel=1e-4)
    found = mnist_quality.seen_and_unseen(network, 8)
    assert found["training"] != found["test"] and found["digits"] == 8


def test_real_digits_are_close_to_other_real_digits():
    digits = mnist_quality.mixed_test_digits()[0][:1500]
    real, others = mnist_quality.features_of(digits).split(1000)
    near = mnist_quality.by_tenths(real, others)
    noise = torch.rand(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    far = mnist_quality.by_tenths(real, mnist_quality.features_of(noise))
    assert 0 < near["fid"] < far["fid"] / 10 and len(near["without_a_tenth"]) == 10


def test_the_test_digits_are_mixed_and_complete():
    images, labels = mnist_quality.mixed_test_digits()
    assert len({image.numpy().tobytes() for image in images}) == 10_000
    each = mnist_quality.as_many_of_each(100)
    asked = torch.arange(100) % 10
    assert mnist_quality.row_of_class(each, asked)["accuracy"] > 0.95


def test_what_the_chapters_read_is_there():
    """Stored results of this form, of the weights that the book ships."""
    for name, known in {
        "mnist_b2": {"rows", "loss", "errors"},
        "mnist_b3": {"rows", "class", "steps"},
    }.items():
        found = json.loads((RESULTS / f"{name}.json").read_text())
        assert known < set(found)
        assert found["sha256"] == digests(*(ROOT / path for path in found["sha256"]))


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
