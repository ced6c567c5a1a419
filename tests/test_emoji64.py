"""Emoji-64's text encoder, network, objective and trainer."""

import csv
import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from diffusers import DDIMScheduler, DDPMScheduler
from PIL import Image
from torch.testing import assert_close

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64 import model, release, training
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.text import STYLES, TextEncoder, captions
from diffusion_utils.files import ROOT, load_tensors
from diffusion_utils.sampling import sample
from diffusion_utils.training.runs import read_history

TINY = training.Recipe(channels=(8, 16, 32), batch_size=4, small_steps=2, warmup=2)


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder(model.FOLDER)


@pytest.fixture(scope="module")
def batch(encoder):
    g = torch.Generator().manual_seed(0)
    data = SimpleNamespace(
        images=torch.randint(256, (10, 4, 64, 64), dtype=torch.uint8, generator=g),
        names=["rocket", "apple"],
        name_index=torch.arange(10) % 2,
        styles=list(STYLES),
        style_index=torch.arange(10) % 7,
    )
    return training.Batch(TINY, data, encoder)


def run(folder, batch, steps, **options):
    accelerator = Accelerator(cpu=True)
    for row, ema in training.train(TINY, folder, batch, accelerator, **options):
        if row.step == steps:
            return row, ema


@pytest.fixture(scope="module")
def tiny(encoder):
    torch.manual_seed(0)
    unet = EmojiUNet((8, 16, 32))
    torch.nn.init.normal_(unet.out.weight, std=0.1)
    return model.text_to_image(unet, encoder)


def test_velocity_is_that_of_diffusers():
    theirs = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    schedule = model.cosine_schedule()
    x_0, eps = torch.randn(2, 4, 3, 8, 8).double()
    t = torch.tensor([0, 10, 500, 999])
    assert_close(
        model.velocity(schedule, x_0, t, eps), theirs.get_velocity(x_0, eps, t)
    )


def test_noise_and_velocity_undo_each_other():
    schedule = model.cosine_schedule()
    x_0, eps = torch.randn(2, 4, 3, 8, 8).double()
    t = torch.tensor([0, 10, 500, 998])
    x_t = schedule.forward(x_0, t, eps)
    v = model.velocity(schedule, x_0, t, eps)
    assert_close(model.noise_from_velocity(schedule, x_t, t, v), eps)


def test_one_step_agrees_with_diffusers_v_prediction(tiny):
    theirs = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
    )
    x_t = torch.randn(1, 3, 64, 64)
    condition = tiny.condition("a rocket")
    v = tiny.network.unet(x_t, torch.tensor([500]), *condition).detach()
    expected = theirs.set_timesteps(1000) or theirs.step(v, 500, x_t)
    eps = tiny.denoiser("a rocket")(x_t, 500).eps
    x0_hat = tiny.schedule.predict_x0(x_t, 500, eps)
    assert_close(x0_hat, expected.pred_original_sample, atol=1e-4, rtol=1e-4)


def test_text_has_unit_variance_and_synonyms_are_close(encoder):
    tokens, mask, pooled = encoder(["rocket ship", "rocket", "broccoli", ""])
    assert tokens.shape == (4, 12, 384) and mask.shape == (4, 12)
    assert_close(pooled.square().mean(1), torch.ones(4))
    assert_close(tokens.square().mean(2), torch.ones(4, 12))
    ship, rocket, broccoli, _ = pooled
    assert ship @ rocket > 1.5 * (rocket @ broccoli)


def test_a_prompt_as_a_whole_is_the_mean_of_its_words(encoder):
    """The same encoder without padding, as sentence-transformers uses it."""
    text = encoder.tokenizer("a red apple", return_tensors="pt")
    words = encoder.model(**text).last_hidden_state[0]
    expected = words.mean(0) / words.mean(0).square().mean().sqrt()
    assert_close(encoder(["a red apple"])[2][0], expected, atol=1e-4, rtol=1e-4)


def test_long_prompts_are_cut_with_a_warning(encoder, caplog):
    long = encoder(["rocket " * 30])
    assert "cut to 12 tokens" in caplog.text
    assert_close(long[0], encoder(["rocket " * 10])[0])


def test_padding_does_not_change_the_picture(tiny):
    x_t, t = torch.randn(1, 3, 64, 64), torch.tensor([300])
    tokens, mask, pooled = tiny.condition("a rocket")
    noisy = torch.where(mask[..., None], tokens, torch.randn_like(tokens))
    with torch.no_grad():
        assert_close(
            tiny.network.unet(x_t, t, noisy, mask, pooled),
            tiny.network.unet(x_t, t, tokens, mask, pooled),
        )


def test_each_prompt_is_encoded_once(encoder):
    calls = []

    def counting(prompts):
        calls.extend(prompts)
        return encoder(prompts)

    fresh = model.text_to_image(EmojiUNet((8, 16, 32)), counting)
    fresh.denoiser(["a dog", "a cat", "a dog"]), fresh.denoiser("a dog")
    assert sorted(calls) == ["a cat", "a dog"]


def test_prompts_of_a_batch_do_not_mix(tiny):
    x = torch.randn(2, 3, 64, 64)
    both = tiny.denoiser(["a rocket", "a broccoli"])(x, 400).eps
    alone = tiny.denoiser("a broccoli")(x[1:], 400).eps
    assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(both[1:], tiny.denoiser("a rocket")(x[1:], 400).eps)


@pytest.mark.parametrize("prompt", [None, 3, [], ["a dog", None]])
def test_prompts_that_are_no_texts(tiny, prompt):
    with pytest.raises(ValueError, match="text"):
        tiny.denoiser(prompt)


def test_guidance_in_one_batch_is_the_formula(tiny):
    x = torch.randn(2, 3, 64, 64)
    c, u = tiny.denoiser("a dog")(x, 400).eps, tiny.denoiser("")(x, 400).eps
    both = guided(tiny.denoiser("a dog"), tiny.denoiser(""), 3.0)(x, 400).eps
    assert_close(both, u + 3 * (c - u), atol=1e-3, rtol=1e-3)


def test_network_rejects_other_shapes(tiny):
    for shape in [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64)]:
        with pytest.raises(ValueError, match="multiple of 8"):
            tiny.network.unet(torch.zeros(shape), *[None] * 4)


def test_captions_name_the_thing_first():
    assert captions("apple", "noto")[0] == "an apple"
    assert all("rocket" in text for text in captions("rocket", "twemoji"))


def test_batches_depend_on_the_step_only(batch):
    (x1, *_), v1 = batch.at(3)
    batch.at(1)
    (x2, *_), v2 = batch.at(3)
    assert_close(x1, x2, atol=0, rtol=0)
    assert_close(v1, v2, atol=0, rtol=0)
    assert batch.at(2)[0][0].shape == (4, 3, 32, 32) and x1.shape == (4, 3, 64, 64)


def test_a_batch_covers_all_noise_levels(batch):
    for step in range(1, 6):
        t = batch.at(step)[0][1]
        assert (t // 250).tolist() == [0, 1, 2, 3]


def test_a_pass_shows_no_drawing_twice_and_passes_differ(batch):
    """Ten drawings in batches of four: two are left out, others each time."""
    passes = [
        torch.cat([batch.choose(step) for step in steps]).tolist()
        for steps in ((1, 2), (3, 4))
    ]
    assert [len(set(seen)) for seen in passes] == [8, 8]
    assert passes[0] != passes[1]


def test_compositing_shows_the_background_where_nothing_is_drawn():
    g = torch.Generator().manual_seed(0)
    x = training.composited(torch.zeros(200, 4, 2, 2), g)
    white = (x == 1).flatten(1).all(1).float().mean()
    assert 0.65 < white < 0.85 and x.min() >= 0.4 - 1e-6


def test_what_is_transparent_has_no_colour():
    """A red square whose transparent surroundings are green: no green at its turned edges."""
    g = torch.Generator().manual_seed(0)
    image = torch.tensor([0.0, 1, 0, 0])[:, None, None].repeat(20, 1, 64, 64)
    image[:, :, 20:44, 20:44] = torch.tensor([1.0, 0, 0, 1])[:, None, None]
    red, green, blue, alpha = training.augmented(image, g).unbind(1)
    assert_close(red, alpha)
    assert green.abs().max() == blue.abs().max() == 0


def test_augmentation_moves_little():
    g = torch.Generator().manual_seed(0)
    image = torch.zeros(50, 4, 64, 64)
    image[:, :, 28:36, 28:36] = 1
    moved = training.augmented(image, g)
    assert moved.shape == image.shape
    y = (moved[:, 3].sum(2) * torch.arange(64)).sum(1) / moved[:, 3].sum((1, 2))
    assert (y - 31.5).abs().max() < 5


def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path, batch):
    _, whole = run(tmp_path / "whole", batch, 5, checkpoint_steps=1)
    run(tmp_path / "cut", batch, 4, checkpoint_steps=3)
    _, resumed = run(tmp_path / "cut", batch, 5, checkpoint_steps=1)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert_close(a, b, atol=0, rtol=0)
    losses = [
        [row.loss for row in read_history(tmp_path / name / "history.csv")]
        for name in ("whole", "cut")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 5


def command(run, *options):
    return ["-m", "diffusion_utils.emoji64.train", "--smoke", "--precision", "no",
            "--out", str(run), *options]  # fmt: skip


def launched(arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_command_trains_and_two_processes_train_the_same(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    bar = launched(command(one, "--steps", "4", "--sheet-steps", "3"))
    assert "loss=" in bar and "encode captions" in bar
    with Image.open(one / "sheet-000003.png") as sheet:
        assert sheet.size == (8 * 66 + 2, 2 * 66 + 2)  # 16 prompts at 64x64
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    options = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    options += f" --dynamo_backend no --main_process_port {port}"
    launch = ["-m", "accelerate.commands.launch", *options.split()]
    launched([*launch, *command(two, "--steps", "4")])
    losses = [
        [row.loss for row in read_history(run / "history.csv")] for run in (one, two)
    ]
    assert len(losses[0]) == 4
    assert_close(*losses, rtol=1e-4, atol=0)


def test_the_average_moves_towards_the_weights():
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    expected = 0.9 * one.weight + 0.1 * other.weight
    training.average(one, other, 0.9)
    assert_close(one.weight, expected)


def test_the_learning_rate_rises_stays_and_falls_with_the_root():
    recipe = training.Recipe()
    expected = {1: 3e-6, 100: 3e-4, 200: 6e-4, 6000: 6e-4, 24_000: 3e-4}
    for step, lr in expected.items():
        assert recipe.lr_at(step) == pytest.approx(lr)


def test_the_average_begins_short_and_becomes_long():
    recipe = training.Recipe()
    assert recipe.ema_at(1) == pytest.approx(2 / 11)
    assert recipe.ema_at(100_000) == 0.9985


def test_captions_are_left_out_and_replaced_as_often_as_the_recipe_says(batch):
    g, n = torch.Generator().manual_seed(0), 10_000
    drawn = [batch.caption(0, g) for _ in range(n)]
    plain, *others = batch.texts[0]
    for caption, share in {
        "": 0.1, "a high quality photo": 0.05 / 4, plain: 0.85 / 2, others[0]: 0.85 / 6,
    }.items():  # fmt: skip
        error = (share * (1 - share) / n) ** 0.5
        assert abs(drawn.count(caption) / n - share) < 4 * error


def test_a_run_of_another_recipe_is_refused(tmp_path, batch):
    run(tmp_path, batch, 1, checkpoint_steps=1)
    other = training.Recipe(channels=(8, 16, 32), batch_size=2)
    with pytest.raises(ValueError, match="another recipe"):
        next(training.train(other, tmp_path, batch, Accelerator(cpu=True)))


@pytest.fixture
def folder(tmp_path, batch, encoder):
    """A released tiny model."""
    run(tmp_path / "run", batch, 2, checkpoint_steps=1)
    for part in ("text_encoder", "tokenizer"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / part).symlink_to(model.FOLDER / part)
    release.release(tmp_path / "run", tmp_path / "model")
    return tmp_path / "model"


def test_a_release_that_fails_leaves_the_one_before(folder):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (folder.parent / "run" / "history.csv").unlink()
    with pytest.raises(FileNotFoundError, match="history.csv"):
        release.release(folder.parent / "run", folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_network_of_another_size_does_not_replace_the_shipped_one(folder):
    before = (model.FOLDER / "SHA256SUMS").read_text()
    with pytest.raises(ValueError, match=r"\(8, 16, 32\) channels.*--smoke"):
        release.release(folder.parent / "run")
    assert (model.FOLDER / "SHA256SUMS").read_text() == before
    model.check(model.FOLDER)


def test_a_release_is_the_average_in_half_precision(folder):
    state, _ = load_tensors(folder.parent / "run" / "checkpoint.safetensors")
    released = model.load(folder=folder).network.unet.state_dict()
    for name, value in released.items():
        assert_close(value, state[f"ema.{name}"].half().float(), atol=0, rtol=0)
    assert not released["out.weight"].equal(state["model.out.weight"].half().float())


DRAW = """
import sys
from diffusion_utils.emoji64 import model
from diffusion_utils.files import save_tensors
from diffusion_utils.tasks import generate
loaded = model.load(folder=sys.argv[1])
x = generate(loaded, loaded.denoiser("a dog"), [0], [900, 500, -1])
save_tensors(sys.argv[2], {"x": x})
"""


def test_a_released_model_draws_the_same_in_each_process(folder):
    out = folder.parent / "x.safetensors"
    arguments = [sys.executable, "-c", DRAW, str(folder), str(out)]
    subprocess.run(arguments, cwd=ROOT, check=True)
    loaded = model.load(folder=folder)
    schedule, path = model.cosine_schedule(), [900, 500, -1]
    x, again = (
        sample(m.denoiser("a dog"), (3, 64, 64), path, schedule, seeds=[0])
        for m in (loaded, model.load(folder=folder))
    )
    assert_close(x, again, atol=0, rtol=0)
    assert_close(load_tensors(out)[0]["x"], x, atol=1e-6, rtol=1e-5)


def test_a_released_model_says_its_schedule(folder):
    saved = DDPMScheduler.from_pretrained(folder / "scheduler")
    assert saved.config.prediction_type == "v_prediction"
    assert_close(
        saved.alphas_cumprod.double(),
        model.cosine_schedule().alpha_bar,
        atol=1e-6,
        rtol=1e-4,
    )


def test_altered_weights_are_refused(folder):
    path = folder / "unet" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="git checkout"):
        model.load(folder=folder)


def test_missing_weights_are_named(folder):
    (folder / "unet" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model.safetensors.*git checkout"):
        model.load(folder=folder)


def test_weights_of_another_network_are_refused(folder):
    path = folder / "unet" / "config.json"
    config = json.loads(path.read_text()) | {"channels": [8, 16, 64]}
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="does not hold the weights"):
        model.load(folder=folder)


def test_released_history_is_a_table(folder):
    with open(folder / "history.csv") as f:
        assert len(list(csv.reader(f))) == 3


def test_a_run_can_go_on_from_released_weights(tmp_path, folder, batch):
    released = EmojiUNet.from_pretrained(folder / "unet").out.weight
    row, ema = run(tmp_path / "more", batch, 3, start=folder)
    history = read_history(tmp_path / "more" / "history.csv")
    assert [row.step for row in history] == [1, 2, 3]
    assert history[2].seconds > history[1].seconds
    assert 0 < (ema.out.weight - released).abs().max() < 2 * row.lr


def test_going_on_from_released_weights_leaves_a_begun_run_alone(
    tmp_path, folder, batch
):
    run(tmp_path / "begun", batch, 4, checkpoint_steps=1)
    accelerator = Accelerator(cpu=True)
    steps = training.train(TINY, tmp_path / "begun", batch, accelerator, start=folder)
    assert next(steps)[0].step == 5
    history = read_history(tmp_path / "begun" / "history.csv")
    assert [row.step for row in history] == [1, 2, 3, 4, 5]


def test_released_weights_of_another_network_are_refused(tmp_path, folder, batch):
    other = training.Recipe(channels=(8, 16, 64))
    run = training.train(
        other, tmp_path / "run2", batch, Accelerator(cpu=True), start=folder
    )
    with pytest.raises(ValueError, match="is of another network"):
        next(run)


def test_altered_weights_are_not_gone_on_from(tmp_path, folder, batch):
    path = folder / "unet" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="not the recorded file"):
        run(tmp_path / "run2", batch, 3, start=folder)


@pytest.mark.parametrize("budget", [{"steps": 3}, {"hours": 1e-9}])
def test_a_budget_ends_a_run_and_keeps_its_last_step(tmp_path, batch, budget):
    def rows():
        accelerator = Accelerator(cpu=True)
        return list(training.train(TINY, tmp_path, batch, accelerator, **budget))

    last = rows()[-1][0].step
    assert last == budget.get("steps", 1)
    assert load_tensors(tmp_path / "checkpoint.safetensors")[1]["step"] == last
    assert rows() == []
