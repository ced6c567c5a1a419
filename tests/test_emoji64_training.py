"""How Emoji-64 is trained: what a batch is made of, the two tasks, and the command."""

import math
import shutil
import signal
import sys
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from emoji64_drawings import TINY, some_drawings
from PIL import Image
from processes import as_two, begin, finish
from torch.testing import assert_close

from diffusion_utils.emoji64 import train as command_line
from diffusion_utils.emoji64.captions import ANYTHING, PLAIN_STYLES, STYLES, captions
from diffusion_utils.emoji64.dataset import Emoji
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.recipe import Batches, EmojiTask, Recipe, near
from diffusion_utils.emoji64.release import release
from diffusion_utils.files import digest, load_tensors
from diffusion_utils.training.loop import train
from diffusion_utils.training.muon import Muon
from diffusion_utils.training.runs import read_history

BASE, REFINER = Recipe(**TINY), Recipe("refiner", **TINY)


def cosine():
    """alpha_bar of 1,000 timesteps from the formula of Nichol & Dhariwal."""
    level = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    return torch.from_numpy(np.cumprod(1 - np.minimum(1 - level[1:] / level[:-1], 0.999)))


class Numbered:
    """An encoder whose every output tells which text it was given."""

    def __init__(self):
        self.texts = []

    def __call__(self, prompts):
        numbers = []
        for prompt in prompts:
            assert prompt not in self.texts, "each caption is encoded once"
            self.texts.append(prompt)
            numbers.append(len(self.texts) - 1)
        n = torch.tensor(numbers).float().view(-1, 1)
        mask = torch.arange(12) < 1 + torch.tensor(numbers)[:, None] % 12
        return n[..., None].expand(-1, 12, 384) / 100, mask, n.expand(-1, 384) / 100

    def read(self, tokens, mask, pooled):
        """The text of each row, of which tokens, mask and pooled must tell the same."""
        numbers = (100 * pooled[:, 0]).round().long()
        assert_close(tokens, numbers.view(-1, 1, 1).expand_as(tokens) / 100)
        assert_close(pooled, numbers.view(-1, 1).expand_as(pooled) / 100)
        assert mask.sum(1).equal(1 + numbers % 12)
        return [self.texts[i] for i in numbers]


THINGS = "owl, rocket, ninja, broccoli, dog, house, taxi, bear, fish, tree".split(", ")


@pytest.fixture(scope="module")
def of_one_colour():
    """Seventy drawings, each of a colour of its own all over: ten things in seven styles."""
    n = 70
    rising = 3 * torch.arange(n)
    colours = torch.stack([20 + rising, 255 - rising, torch.full((n,), 90)], 1)
    opaque = torch.cat([colours, torch.full((n, 1), 255)], 1).to(torch.uint8)
    return Emoji(
        opaque[:, :, None, None].repeat(1, 1, 64, 64),
        sorted(THINGS),
        torch.arange(n) % 10,
        sorted(STYLES),
        torch.arange(n) // 10,
    )


# The objective


def solved(inputs, v):
    """x_0 and eps of each row, from x_t and v and the definition of both."""
    x_t, t = inputs[:2]
    alpha_bar = cosine()[t].view(-1, 1, 1, 1)
    a, s = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return a * x_t.double() - s * v.double(), s * x_t.double() + a * v.double()


@pytest.mark.parametrize("stage", ["base", "refiner"])
def test_a_batch_shows_each_drawing_under_its_own_caption(of_one_colour, stage):
    """In the middle, where a drawing is that is moved a little, its colour tells which it is."""
    recipe = Recipe(stage, batch_size=14, paint=0, background=0, text_noise=0)
    encoder = Numbered()
    batches = Batches(recipe, of_one_colour, encoder)
    middle = slice(recipe.size // 4, -recipe.size // 4)
    counts, seen = {"right": 0, "nothing": 0, "anything": 0}, []
    for step in range(1, 16):
        inputs, v = batches.at(step)
        x_t, t, *prompt = inputs
        assert x_t.shape == v.shape == (14, 3, recipe.size, recipe.size)
        assert t.min() >= 0 and t.max() <= 999
        x_0, eps = solved(inputs, v)
        colours = (127.5 * (x_0[..., middle, middle] + 1)).flatten(2)
        assert (colours - colours.mean(2, keepdim=True)).abs().max() < 0.02
        known = of_one_colour.images[:, :3, 0, 0].double()
        distance = torch.cdist(colours.mean(2), known)
        assert distance.min(1).values.max() < 0.05
        seen += (chosen := distance.argmin(1)).tolist()
        for index, text in zip(chosen, encoder.read(*prompt), strict=True):
            name = of_one_colour.names[of_one_colour.name_index[index]]
            style = of_one_colour.styles[of_one_colour.style_index[index]]
            if text in captions(name, style):
                counts["right"] += 1
            else:
                assert text == "" or text in ANYTHING
                counts["anything" if text else "nothing"] += 1
        assert eps.mean().abs() < 5 / eps.numel() ** 0.5
        assert eps.std().item() == pytest.approx(1, abs=5 / eps.numel() ** 0.5)
    assert counts["right"] > 0.8 * len(seen) and counts["nothing"] > 0.04 * len(seen)
    assert len(set(seen)) == 70


def test_rows_and_steps_have_noise_of_their_own(of_one_colour):
    recipe = replace(BASE, batch_size=6)
    noise = []
    for step in (1, 2):
        noise.append(solved(*Batches(recipe, of_one_colour, Numbered()).at(step))[1])
    apart = torch.corrcoef(torch.cat(noise).flatten(1)).triu(1)
    assert apart.abs().max() < 0.1


def test_batches_depend_on_the_step_only(of_one_colour):
    batches = Batches(BASE, of_one_colour, Numbered())
    (x1, t1, *_), v1 = batches.at(3)
    batches.at(1)
    torch.manual_seed(5)
    (x2, t2, *_), v2 = batches.at(3)
    assert x1.equal(x2) and t1.equal(t2) and v1.equal(v2)


def test_a_pass_shows_each_drawing_once_and_those_of_plain_styles_twice(of_one_colour):
    batches = Batches(replace(BASE, batch_size=10), of_one_colour, Numbered())
    passes = [
        torch.cat([batches.choose(step) for step in steps]).tolist()
        for steps in (range(1, 12), range(12, 23))
    ]
    for seen in passes:
        for i in range(70):
            style = of_one_colour.styles[i // 10]
            assert seen.count(i) == 1 + (style in PLAIN_STYLES)
    assert passes[0] != passes[1]


# The timesteps


@pytest.mark.parametrize("k", [0.0, 1.0, 3.0])
def test_timesteps_have_the_density_of_the_recipe(k):
    batches = Batches(replace(BASE, high_noise=k), some_drawings(), None)
    g = torch.Generator().manual_seed(0)
    n = 4000
    # one at a time, so that they are independent
    t = torch.cat([batches.timesteps(1, g) for _ in range(n)])
    edges = torch.linspace(0, 1000, 11)
    found = torch.histc(t.float() + 0.5, 10, 0, 1000)
    total = edges + k * edges**2 / 2000
    expected = n * total.diff() / total[-1]
    chi_square = ((found - expected) ** 2 / expected).sum().item()
    assert chi_square < 9 + 4 * (2 * 9) ** 0.5


@pytest.mark.parametrize("k", [0.0, 1.0])
def test_a_batch_covers_all_noise_levels(k):
    """One timestep in each of B parts of the same probability."""
    batches, B = Batches(replace(BASE, high_noise=k), some_drawings(), None), 8
    g = torch.Generator().manual_seed(0)
    drawn = torch.stack([batches.timesteps(B, g) for _ in range(50)]).double()
    assert drawn.min() >= 0 and drawn.max() <= 999
    for t in (drawn, drawn + 1):  # a real number was rounded down
        share = (t / 1000 + k * (t / 1000) ** 2 / 2) / (1 + k / 2)
        low, high = torch.arange(B) / B, torch.arange(1, B + 1) / B
        assert (share > low - 0.002).all() and (share < high + 0.002).all()
    assert drawn.std(0).min() > 10  # and not always the same


# The rate and the average


def test_the_rate_rises_stays_and_falls():
    recipe = Recipe(lr=2e-3, warmup=200, cool_from=1000, cooldown=400)
    expected = {1: 1e-5, 100: 1e-3, 200: 2e-3, 1000: 2e-3, 1001: 0.001995, 1100: 1.5e-3,
                1200: 1e-3, 1300: 5e-4, 1400: 0.0, 1500: 0.0}  # fmt: skip
    for step, lr in expected.items():
        assert recipe.lr_at(step) == pytest.approx(lr, abs=1e-12), step
    assert Recipe().lr_at(10**6) == Recipe().lr


def test_the_average_begins_short_and_becomes_long():
    assert Recipe().ema_at(1) == pytest.approx(2 / 11)
    assert Recipe().ema_at(100_000) == Recipe().ema


# The loop


def hashed(prompts):
    """An encoder that says the same of a text in whatever order it is asked."""
    numbers = torch.tensor([zlib.crc32(text.encode()) for text in prompts])
    pooled = torch.sin(numbers[:, None] % 97 * torch.arange(1, 385)).float()
    return (pooled[:, None].expand(-1, 12, -1), torch.ones(len(prompts), 12).bool(), pooled)


def run(recipe, folder, steps, **options):
    """The rows of a run up to a step, and the average it yields."""
    task = EmojiTask(recipe, Batches(recipe, some_drawings(), hashed))
    rows = []
    for step in train(task, folder, Accelerator(cpu=True), **options):
        rows.append(step)
        if step[0].step == steps:
            break
    return [row for row, _ in rows], rows[-1][1]["ema"]


@pytest.mark.parametrize("recipe", [BASE, REFINER], ids=["base", "refiner"])
def test_losses_and_weights_are_those_of_a_plain_loop(tmp_path, recipe):
    rows, shown = run(recipe, tmp_path, 6)
    network = recipe.network()
    network.base.requires_grad_(recipe.stage == "base")
    part = network.base if recipe.stage == "base" else network
    optimizer = Muon(part, 1.0)
    start = {name: p.detach().clone() for name, p in part.named_parameters()}
    average = {name: p.detach().clone() for name, p in part.named_parameters()}
    batches = Batches(recipe, some_drawings(), hashed)
    for step, row in enumerate(rows, 1):
        (x_t, t, *prompt), v = batches.at(step)
        loss = F.mse_loss(part(x_t, t, *prompt), v)
        assert row.loss == pytest.approx(loss.item(), rel=1e-3)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, step / 2)
        optimizer.step()
        decay = min(0.998, (1 + step) / (10 + step))
        for name, p in part.named_parameters():
            average[name] = decay * average[name] + (1 - decay) * p.detach()
    # bf16 in another order of the filters' values makes a small difference
    apart = [(p - average[n]).norm() for n, p in shown.named_parameters()]
    moved = [(average[n] - start[n]).norm() for n in average]
    assert sum(apart) < 0.05 * sum(moved)


@pytest.mark.parametrize("recipe", [BASE, REFINER], ids=["base", "refiner"])
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path, recipe):
    _, whole = run(recipe, tmp_path / "whole", 6, checkpoint_steps=1)
    run(recipe, tmp_path / "cut", 5, checkpoint_steps=2)  # its last was at step 4
    _, resumed = run(recipe, tmp_path / "cut", 6, checkpoint_steps=1)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert a.equal(b)
    losses = [
        [row.loss for row in read_history(tmp_path / name / "history.csv")]
        for name in ("whole", "cut")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 6


def test_a_refiner_is_trained_on_a_base_that_stays(tmp_path):
    network = EmojiUNet((8, 16, 32))
    torch.nn.init.normal_(network.base.out[-1].weight, std=0.1)
    task = EmojiTask(REFINER, Batches(REFINER, some_drawings(), hashed))
    command_line.begin(tmp_path, task, network, None)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    *_, (_, networks) = train(task, tmp_path, Accelerator(cpu=True), steps=3)
    shown = networks["ema"]
    state, _ = load_tensors(tmp_path / "checkpoint.safetensors")
    for name, tensor in before.items():
        if name.startswith("base."):
            for of in ("model", "ema"):
                assert state[f"{of}.{name}"].equal(tensor), name
            assert shown.state_dict()[name].equal(tensor)
    parameters = shown.refiner.named_parameters()
    changed = [n for n, p in parameters if not p.equal(before[f"refiner.{n}"])]
    assert len(changed) > 10


def test_what_begins_a_run_is_in_its_recipe(tmp_path):
    run(BASE, tmp_path, 2, checkpoint_steps=1)
    with pytest.raises(ValueError, match="another recipe"):
        run(replace(BASE, start="0" * 64), tmp_path, 3)
    with pytest.raises(ValueError, match="another recipe"):
        run(replace(BASE, batch_size=2), tmp_path, 3)


# The command


def command(folder, stage, *options):
    options = "--smoke", "--precision", "no", "--checkpoint-steps", "2", *options
    return ["diffusion_utils.emoji64.train", stage, "--out", str(folder), *options]


def ended(folder, *arguments):
    """Run the command to its end -> what it showed."""
    folder.mkdir(exist_ok=True)
    shown = folder / "stderr"
    assert finish(begin(command(folder, *arguments), shown)) == [0], shown.read_text()
    return shown.read_text()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base of six steps, made by the command."""
    folder = tmp_path_factory.mktemp("emoji64")
    shown = ended(folder, "base", "--steps", "6", "--sheet-steps", "5")
    assert "loss=" in shown and "6/6" in shown
    return folder


def losses(folder):
    return [row.loss for row in read_history(folder / "history.csv")]


def test_the_command_trains_and_draws_a_sheet(base):
    with Image.open(base / "base" / "sheet-000005.png") as sheet:
        assert sheet.size == (8 * 34 + 2, 2 * 34 + 2)  # 16 prompts at 32x32
    assert len(losses(base / "base")) == 6


def test_two_processes_train_the_same(base, tmp_path):
    processes = as_two(command(tmp_path, "base", "--steps", "6"), tmp_path)
    assert finish(*processes) == [0, 0], (tmp_path / "stderr-0").read_text()
    assert_close(losses(tmp_path / "base"), losses(base / "base"), rtol=1e-4, atol=0)


def test_the_command_goes_on_after_a_stop(base, tmp_path):
    ended(tmp_path, "base", "--steps", "3")
    ended(tmp_path, "base", "--steps", "6")
    assert losses(tmp_path / "base") == losses(base / "base")


def test_a_cooldown_is_of_a_copy_ends_at_zero_and_goes_on_when_interrupted(base, tmp_path):
    shutil.copytree(base / "base", tmp_path / "base")
    before = {p.name: p.read_bytes() for p in (tmp_path / "base").iterdir()}
    cooled = tmp_path / "base-cooled"
    arguments = command(tmp_path, "base", "--cooldown", "16")
    process = begin(arguments, tmp_path / "stderr")
    while process.is_alive() and (
        not (cooled / "history.csv").exists() or len(losses(cooled)) < 12
    ):
        time.sleep(0.01)
    process.kill()
    assert finish(process) == [-signal.SIGKILL]
    assert load_tensors(cooled / "checkpoint.safetensors")[1]["step"] < 22
    ended(tmp_path, "base", "--cooldown", "16")
    history = read_history(cooled / "history.csv")
    assert [row.step for row in history] == list(range(1, 23))
    assert [row.loss for row in history[:6]] == losses(base / "base")
    warm = [min(1, step / 200) for step in range(7, 23)]
    expected = [2e-3 * w * (1 - i / 16) for i, w in enumerate(warm, 1)]
    assert_close([row.lr for row in history[6:]], expected, rtol=1e-4, atol=1e-12)
    assert history[-1].lr == 0
    now = {p.name: p.read_bytes() for p in (tmp_path / "base").iterdir()}
    assert now == before
    # the run itself goes on as it would have
    ended(tmp_path, "base", "--steps", "7")
    assert len(losses(tmp_path / "base")) == 7


def test_a_refiner_by_the_command(base, tmp_path):
    ended(tmp_path, "refiner", "--base", str(base / "base"), "--steps", "3")
    checkpoint = base / "base" / "checkpoint.safetensors"
    state, about = load_tensors(tmp_path / "refiner" / "checkpoint.safetensors")
    of_base, _ = load_tensors(checkpoint)
    assert about["recipe"]["start"] == digest(checkpoint)
    names = [n.removeprefix("ema.") for n in of_base if n.startswith("ema.")]
    assert len(names) > 100
    for name in names:
        assert state[f"ema.base.{name}"].equal(of_base[f"ema.{name}"])
    # on another base it would be another run
    other = tmp_path / "other"
    shutil.copytree(base / "base", other / "base")
    ended(other, "base", "--steps", "8")
    arguments = command(tmp_path, "refiner", "--base", str(other / "base"))
    assert finish(begin(arguments, tmp_path / "stderr")) == [1]
    assert "holds a run of another recipe" in (tmp_path / "stderr").read_text()


def test_a_run_goes_on_from_released_weights_and_their_history(base, tmp_path):
    ended(tmp_path, "refiner", "--base", str(base / "base"), "--steps", "3")
    shown = tmp_path / "released"
    release(base / "base", tmp_path / "refiner", shown)
    with pytest.raises(ValueError, match="has 6 steps.*has 6.*--replace"):
        release(base / "base", tmp_path / "refiner", shown)
    (shown / "base" / "sheet-000005.png").write_bytes(b"a sheet")
    begun = "--start", str(shown)
    ended(tmp_path / "next", "base", *begun, "--steps", "7")
    rows, before = (read_history(f / "base" / "history.csv") for f in (tmp_path / "next", shown))
    assert [row.step for row in rows] == list(range(1, 8)) and rows[:6] == before
    assert rows[6].seconds > before[-1].seconds
    assert (tmp_path / "next" / "base" / "sheet-000005.png").read_bytes() == b"a sheet"
    state, about = load_tensors(tmp_path / "next" / "base" / "checkpoint.safetensors")
    assert about["recipe"]["start"] == digest(shown / "unet" / "model.safetensors")
    weights, _ = load_tensors(shown / "unet" / "model.safetensors")
    far = [(state[f"model.{n[5:]}"] - w).abs().max() for n, w in weights.items() if "base." in n]
    assert 0 < max(far) < 0.01  # one step at a small rate
    # a refiner on its released base, and on another
    ended(tmp_path / "next", "refiner", *begun, "--steps", "4")
    state, about = load_tensors(tmp_path / "next" / "refiner" / "checkpoint.safetensors")
    assert about["step"] == 4
    assert all(state[f"ema.{n}"].equal(w.float()) for n, w in weights.items() if "base." in n)
    other = "--base", str(tmp_path / "next" / "base")
    ended(tmp_path / "other", "refiner", *begun, *other, "--steps", "4")
    _, about = load_tensors(tmp_path / "other" / "refiner" / "checkpoint.safetensors")
    assert len(about["recipe"]["start"].split()) == 2 and about["step"] == 4


@pytest.mark.parametrize("arguments", [["refiner"], ["base", "--base", "runs/x"]])
def test_a_refiner_and_nothing_else_needs_a_base(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit):
        command_line.main()
    assert "--base" in capsys.readouterr().err


def test_noise_brings_prompts_near_others_and_keeps_their_size():
    g = torch.Generator().manual_seed(0)
    tokens, pooled = torch.randn(2000, 3, 384, generator=g), torch.randn(2000, 384, generator=g)
    mask = torch.ones(2000, 3, dtype=torch.bool)
    words, same, whole = near(tokens, mask, pooled, 0.8, g)
    assert same.equal(mask)
    for noisy in (words, whole):
        assert noisy.square().mean().item() == pytest.approx(1, abs=0.01)
    # with noise of relative size u in [0, 0.8], the cosine is 1 / sqrt(1 + u^2): its mean, an integral
    expected = math.asinh(0.8) / 0.8
    pairs = (whole, pooled), (words[:, 1], tokens[:, 1])
    for noisy, clean in pairs:
        cosine = F.cosine_similarity(noisy, clean)
        assert cosine.mean().item() == pytest.approx(expected, abs=0.005)
        assert cosine.min() > 0.7 and cosine.max() > 0.999
    # the words of one prompt get as much noise as the prompt as a whole, not the same noise
    assert torch.corrcoef(torch.stack([F.cosine_similarity(*p) for p in pairs]))[0, 1] > 0.9
    errors = torch.stack([(whole - pooled)[0], (words - tokens)[0, 0], (words - tokens)[0, 1]])
    assert torch.corrcoef(errors).triu(1).abs().max() < 0.4
    for clean, kept in zip((tokens, pooled), near(tokens, mask, pooled, 0, g)[::2], strict=True):
        assert kept.equal(clean)
