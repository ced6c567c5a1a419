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
    emoji64_sheets,
    guidance,
    hybrids,
    inpainting,
    mnist_limits,
    mnist_quality,
    mnist_readable,
    one_step,
    pairs,
    precision,
    prompt_switch,
    train_step,
    unseen_words,
)
from benchmarks._results import RESULTS, digests
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.emoji64 import recipe as emoji64_recipe
from diffusion_utils.emoji64.captions import PLAIN_STYLES
from diffusion_utils.emoji64.dataset import chosen as some_of
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import load_evaluator, plain
from diffusion_utils.files import ROOT, digest
from diffusion_utils.metrics import seam
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import noise_objective
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.train import smoke
from diffusion_utils.mnist.unet import UNet, unet_denoiser
from diffusion_utils.pictures import hole, shipped_image, to_unit


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
    monkeypatch.setattr(mnist_quality, "STEPS_DDIM", (4,))
    monkeypatch.setattr(mnist_quality, "STEPS_MEAN", (4,))
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
        ("beta tilde", 2), ("beta", 3), ("DDIM", 4), ("beta tilde, mean digit", 4),
        ("DDIM, mean digit", 4), ("epoch 5", 50), ("BatchNorm in train mode", 50),
    ]  # fmt: skip
    assert real["fid"] < min(row["fid"] for row in rows)
    assert len({row["fid"] for row in rows}) == len(rows)
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


def test_ddim_turns_a_standard_normal_by_the_angle_of_each_step():
    """There the best guess of the noise is sqrt(1 - alpha_bar_t) x_t, and a step multiplies by a cosine."""

    def normal(x_t, t):
        return NoiseEstimate((1 - mnist_quality.SCHEDULE.at(t, x_t)).sqrt() * x_t)

    angles = torch.tensor(
        [mnist_quality.SCHEDULE.at(t).sqrt().acos() for t in (299, 199, 100, 0, -1)]
    )
    x = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(0))
    (end,) = mnist_quality.ddim_samples(normal, 1, 4)
    torch.testing.assert_close(end, (angles.diff().cos().prod() * x).clamp(0, 1))


def test_the_total_variance_of_a_standard_normal_is_the_larger_variance(digits):
    """There Var[x_0 | x_t] = 1 - alpha_bar_t, and the sum is beta."""
    times = torch.arange(300)
    normal = [{"t": t, "digit": 1 - mnist_quality.SCHEDULE.at(t).item()} for t in times.tolist()]
    known = [{"t": t, "digit": 0.0} for t in times.tolist()]
    plain = unet_denoiser(UNet(8, time=True).eval(), 300)
    for errors, nu in ((normal, 1.0), (known, -1.0)):
        denoise = mnist_quality.with_total_variance(plain, errors, 10)
        for t in (299, 100, 33):
            assert denoise(digits, t).nu.mean().item() == pytest.approx(nu, abs=1e-3)
    network = UNet(8, time=True).eval()
    found = mnist_quality.spread_in_few_steps(network, 20, 3, known)
    assert found["beta tilde"] == pytest.approx(found["total variance"], abs=1e-3)
    assert found["standard_error"] < 1e-3


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
        "mnist_readable": {"sure", "images"},
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


def test_answers_are_counted_for_the_pairs_in_shuffled_order():
    """The 1st number stands below the picture of the pair that is shuffled to the first place."""
    names = ["frog", "halloween pumpkin", "sun"]
    order = emoji64_sheets.shuffled(3)
    said = ["A frog", "owl; jack-o-lantern", "sunflower"]
    answers = {i + 1: said[k] for i, k in enumerate(order)}
    assert hybrids.seen(answers, names) == [True, True, False]
    del answers[1 + order.index(1)]
    assert hybrids.seen(answers, names) == [True, False, False]


def test_a_sheet_shows_a_near_thing_as_it_is_and_a_far_one_blurred(monkeypatch):
    """Numbered pictures, each as bright as its pair, with a pattern that a blur takes away."""
    n = len(hybrids.PAIRS)
    stripes = (torch.arange(64) % 2 - 0.5).expand(n, 3, 64, 64)
    light = torch.linspace(-0.5, 0.5, n)[:, None, None, None]
    pictures = {way: light + stripes for way in (*hybrids.SHEETS, "far", "near")}
    del pictures["alone"]
    sheets = {}
    monkeypatch.setattr(
        hybrids, "sheet", lambda path, *rest, columns: sheets.update({path.name: rest})
    )
    hybrids.draw_sheets(pictures)
    ways = [(way, thing) for way in hybrids.SHEETS for thing in ("far", "near")]
    assert set(sheets) == {f"hybrids-{way}-{thing}.png" for way, thing in ways}
    for name, (shown, numbers) in sheets.items():
        assert numbers[:2] == ["1", "2"] and len(numbers) == n
        middle = shown[..., 16:48, 16:48]
        order = middle.mean((1, 2, 3)).argsort().argsort().tolist()
        assert order == emoji64_sheets.shuffled(n)
        assert (middle.std() > 0.5) == ("near" in name)


def test_answers_count_only_for_the_sheet_that_was_seen(tmp_path):
    sheet, answers = tmp_path / "blind-1.png", tmp_path / "answers.txt"
    sheet.write_bytes(b"some pictures")
    line = f"{digest(sheet)}  blind-1.png\n"
    answers.write_text(f"{line}1: an owl\n\n12:clock: tower\n")
    assert emoji64_sheets.read_answers(answers) == {1: "an owl", 12: "clock: tower"}
    for text, fault in {
        "1: an owl\n": "does not say which sheet",
        f"{line}an owl\n": "says 'an owl'",
        f"{line}one: an owl\n": "says 'one: an owl'",
        line.replace("-1", "-2"): "blind-2.png",
    }.items():
        answers.write_text(text)
        with pytest.raises(ValueError, match=fault):
            emoji64_sheets.read_answers(answers)
    answers.write_text(line)
    sheet.write_bytes(b"other pictures")
    with pytest.raises(ValueError, match="named again"):
        emoji64_sheets.read_answers(answers)


def test_what_was_named_is_about_the_sheets_that_are_there():
    for path in sorted(emoji64_sheets.OUT.glob("*-*.txt")):
        assert len(emoji64_sheets.read_answers(path)) in (60, 102), path.name


def test_hybrids_are_drawn_from_each_start(monkeypatch):
    """Pictures that are as bright as the thing, and as the start where both are drawn."""
    light = {"an owl": 0.5, "a sun with black outlines": -0.25}
    monkeypatch.setattr(hybrids, "prompted", lambda model, prompts, gamma: prompts)
    monkeypatch.setattr(hybrids, "hybrid", lambda model, prompts, sigmas, gamma: prompts)

    def generate(model, asked, seeds):
        if len(asked) == 2:  # both
            return torch.full((1, 3, 64, 64), 0.99)
        return torch.full((1, 3, 64, 64), light[asked[0]])

    def sdedit(model, asked, image, i_start, seeds):
        assert torch.allclose(image, torch.tensor(0.5), atol=1e-5)  # of one colour: no fine band
        return image * 0 + hybrids.TIMESTEPS[i_start] / 1000

    monkeypatch.setattr(hybrids, "generate", generate)
    monkeypatch.setattr(hybrids, "sdedit", sdedit)
    found = hybrids.drawn(None, [("owl", "sun")], [3])
    mean = {name: round(x.mean().item(), 3) for name, x in found.items()}
    starts = {str(t): t / 1000 for t in hybrids.STARTS}
    assert mean == {"far": 0.5, "near": -0.25, "mixture": 0.5} | starts
    assert set(hybrids.SHEETS) - {"alone"} <= set(mean)


def test_the_far_thing_of_a_hybrid_is_looked_for_in_the_blurred_picture(monkeypatch):
    squares = ((torch.arange(64)[:, None] + torch.arange(64)).fmod(2) - 0.5).expand(1, 3, -1, -1)

    def name_ranks(judge, pictures, names):
        return [(bool(x.std() > 0.1), name) for x, name in zip(pictures, names, strict=True)]

    monkeypatch.setattr(hybrids, "name_ranks", name_ranks)
    found = hybrids.ranks(None, [("owl", "sun")], squares)
    assert found == [((False, "owl"), (True, "sun"))]


def test_pictures_that_are_alike_are_not_apart():
    one = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    judge = load_evaluator()
    found = guidance.measured(judge, one, one, judge[1][:4])
    assert found["apart"] == found["pixels"] == [0] * 4 and min(found["another"]) > 0
    assert found["ranks"][0] == found["ranks"][1]
    other = guidance.measured(judge, one, one + 0.5, judge[1][:4])
    assert other["pixels"] == [0.5] * 4 and min(other["apart"]) > 0


def test_the_way_from_second_to_first_begins_at_0_and_ends_at_1():
    red, blue = -torch.ones(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    red[:, 0] = 1
    blue[:, :2, 2:6, 2:6] = -1  # a blue square on white
    for part in prompt_switch.colour, prompt_switch.outline:
        for picture, place in (blue, 0), (red, 1):
            products, squares = prompt_switch.along(part, picture, red, blue)
            assert products == [place * square for square in squares] and min(squares) > 0
    assert prompt_switch.colour(blue).tolist() == [[-1, -1, 1]] * 2
    assert prompt_switch.outline(blue).sum() == 2 * 16


def test_the_prompt_changes_after_so_many_steps(monkeypatch):
    class Model:
        def denoiser(self, prompts):
            return lambda x_t, t: prompts

    def generate(model, denoise, seeds):
        asked = [denoise(None, t) for t in prompt_switch.TIMESTEPS[:-1]]
        return torch.tensor([[asked.count([text]) / 33] for text in ("an owl", "a sun")]).T

    monkeypatch.setattr(prompt_switch, "generate", generate)
    for k in (0, 2, 33):
        shares = prompt_switch.switched(Model(), [("owl", "sun")], [0], k)
        assert shares.tolist() == [pytest.approx([k / 33, 1 - k / 33])]


def test_each_seam_is_of_its_prompt_and_number_of_times(monkeypatch):
    """A model that leaves the pictures as they are, or fills in white: prompts and times say which."""
    boat, mask = shipped_image("sailboat").expand(2, -1, -1, -1), hole(*inpainting.HOLE)

    def inpaint(model, denoise, images, mask, seeds, times):
        assert (images == boat).all() and seeds == [0, 0]
        white = (denoise, times) == ((["a photo"] * 2, 3), 8)
        return torch.where(mask > 0, 1.0, images) if white else images

    monkeypatch.setattr(inpainting, "inpaint", inpaint)
    monkeypatch.setattr(inpainting, "PHOTO", "a photo")
    monkeypatch.setattr(inpainting, "prompted", lambda model, prompts, gamma: (prompts, gamma))
    monkeypatch.setattr(inpainting, "name_ranks", lambda judge, pictures, names: [1, 2])
    *as_it_is, last = inpainting.rows(None, None, boat, ["sailboat"] * 2, mask)
    assert [(row["prompt"], row["times"]) for row in [*as_it_is, last]] == [
        (prompt, times) for prompt in ("name", "photo") for times in (1, 2, 4, 8)
    ]
    for row in as_it_is:
        assert row["seam"] == pytest.approx(seam(boat, mask).tolist(), abs=1e-4)
        assert row["rank"] == [1, 2]
    assert min(last["seam"]) > 1.2 * max(as_it_is[0]["seam"])


def test_pairs_drawn_at_once_keep_their_own_pictures(monkeypatch):
    """Pictures that carry the length of their second prompt, and their seed."""

    def generate(model, denoise, seeds):
        values = [len(text) + seed / 10 for text, seed in zip(denoise[1], seeds, strict=True)]
        return torch.tensor(values)[:, None, None, None] / 100

    kind = pairs.Kind([], "a view", seeds=())
    monkeypatch.setattr(pairs, "generate", generate)
    monkeypatch.setattr(pairs, "visual_anagram", lambda model, prompts, views: prompts)
    both = [("owl", "sun"), ("fish", "whale")]
    drawn = dict(pairs.pictures_of(None, kind, "jigsaw", both, range(2)))
    assert (100 * drawn["owl", "sun"]).flatten().tolist() == pytest.approx([5, 5.1])
    assert (100 * drawn["fish", "whale"]).flatten().tolist() == pytest.approx([7, 7.1])


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


def test_the_judge_is_sure_where_one_digit_has_nine_tenths(monkeypatch):
    chances = torch.tensor([[0.91, 0.09], [0.89, 0.11], [0.5, 0.5], [0.02, 0.98]])
    monkeypatch.setattr(mnist_readable, "load_classifier", lambda: torch.nn.Identity())
    assert mnist_readable.sure(chances.log()) == 2


def test_nothing_is_loaded_before_a_mode_of_the_speed_test_configures_it():
    code = "import sys, benchmarks.train_step; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_what_another_training_gives_is_added_to_what_is_stored(tmp_path, monkeypatch):
    small = {name: smoke(replace(RECIPES[name], epochs=1)) for name in mnist_limits.NAMES}
    monkeypatch.setattr(mnist_limits, "RECIPES", small)
    monkeypatch.setattr(mnist_limits, "FILE", tmp_path / "limits.json")
    few = mnist_quality.features_of(to_unit(mnist(train=False)[0][:200])).split(100)
    monkeypatch.setattr(mnist_limits, "features_of_real", lambda: few)
    monkeypatch.chdir(tmp_path)
    for name, seed in (("b2", 1), ("b2_to_noise", 1), ("b2", 1)):
        command = f"mnist_limits {name} --seed {seed} --images 20 --steps 2".split()
        monkeypatch.setattr(sys, "argv", command)
        mnist_limits.main()
    rows = json.loads(mnist_limits.FILE.read_text())["rows"]
    trainings = [(row["recipe"], row["seed"]) for row in rows]
    assert sorted(trainings) == 8 * [("b2", 1)] + 4 * [("b2_to_noise", 1)]
    assert len({row["fid"] for row in rows}) == len(rows)  # no two ways draw the same


def test_what_training_shows_has_plain_drawings_twice_and_never_the_same():
    few = some_of(emoji(), slice(5))
    plain_ones = sum(few.styles[k] in PLAIN_STYLES for k in few.style_index)
    shown = one_step.as_in_training(few, 2)
    assert shown.shape == (2 * (5 + plain_ones), 3, 64, 64)
    assert shown.min() >= -1 and shown.max() <= 1
    assert len(shown.flatten(1).unique(dim=0)) == len(shown)
