"""Emoji-64 as the book loads it: text encoder, network, and the release that puts it there."""

import json
import shutil

import pytest
import torch
from accelerate import Accelerator
from diffusers import DDIMScheduler, DDPMScheduler
from emoji64_drawings import TINY, some_drawings
from processes import finish, start
from torch.testing import assert_close

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64 import model, release
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.recipe import Batches, EmojiTask, Recipe
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.emoji64.train import begin
from diffusion_utils.files import digest, load_tensors, save_tensors
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import Schedule
from diffusion_utils.tasks import generate
from diffusion_utils.training.loop import train
from diffusion_utils.training.runs import read_history


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder(model.FOLDER)


@pytest.fixture(scope="module")
def tiny(encoder):
    torch.manual_seed(0)
    unet = EmojiUNet((8, 16, 32))
    for last in (unet.base.out[-1], unet.refiner.out[-1]):
        torch.nn.init.normal_(last.weight, std=0.3)
    return model.text_to_image(unet, encoder)


def test_one_step_agrees_with_diffusers_v_prediction(tiny):
    theirs = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False
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
    for shape in [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64), (1, 3, 32, 32)]:
        with pytest.raises(ValueError, match=r"x_t must be \(B, 3, 64, 64\)"):
            tiny.network.unet(torch.zeros(shape), *[None] * 4)


# The release


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder):
    """The folder of two tiny runs: a base of two steps, and a refiner on it."""
    runs, data = tmp_path_factory.mktemp("runs"), some_drawings()
    base, refiner = Recipe(**TINY), Recipe("refiner", **TINY)
    network = refiner.network()
    for recipe, steps in ((base, 2), (refiner, 3)):
        task = EmojiTask(recipe, Batches(recipe, data, encoder))
        run = runs / recipe.stage
        begin(run, task, network, None)
        *_, (_, networks) = train(task, run, Accelerator(cpu=True), steps=steps)
        if recipe is base:
            network.base.load_state_dict(networks["ema"].state_dict())
        (run / f"sheet-{steps:06d}.png").write_bytes(b"a sheet")
    return runs


@pytest.fixture
def folder(tmp_path, trained):
    """A released tiny model."""
    folder = tmp_path / "model"
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(model.FOLDER / part, folder / part)
    release.release(trained / "base", trained / "refiner", folder)
    return folder


def content(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}


def test_a_release_is_the_average_in_half_precision(folder, trained):
    state, _ = load_tensors(trained / "refiner" / "checkpoint.safetensors")
    released = model.load(folder=folder).network.unet.state_dict()
    for name, value in released.items():
        assert_close(value, state[f"ema.{name}"].half().float(), atol=0, rtol=0)
    now = state["model.refiner.conv_in.weight"].half().float()
    assert not released["refiner.conv_in.weight"].equal(now)


def test_a_release_has_the_histories_and_sheets_of_both_runs(folder, trained):
    for name, steps in ("base", 2), ("refiner", 3):
        history = read_history(folder / name / "history.csv")
        assert [row.step for row in history] == list(range(1, steps + 1))
        for file in ("history.csv", f"sheet-{steps:06d}.png"):
            source = trained / name / file
            assert (folder / name / file).read_bytes() == source.read_bytes()


def test_a_release_that_fails_leaves_the_one_before(folder, trained, tmp_path):
    before = content(folder)
    shutil.copytree(trained, tmp_path / "runs")
    base, refiner = tmp_path / "runs" / "base", tmp_path / "runs" / "refiner"
    (refiner / "history.csv").unlink()
    with pytest.raises(FileNotFoundError, match="history.csv"):
        release.release(base, refiner, folder, replace=True)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model", "runs"]
    (base / "checkpoint.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="checkpoint.safetensors"):
        release.release(base, refiner, folder, replace=True)
    assert content(folder) == before


def test_weights_that_were_trained_for_longer_stay_unless_told(folder, trained):
    runs, before = (trained / "base", trained / "refiner"), content(folder)
    with pytest.raises(ValueError, match="has 2 steps.*has 2; .*--replace"):
        release.release(*runs, folder)
    assert content(folder) == before
    sheet = folder / "base" / "sheet-000001.png"
    sheet.write_bytes(b"of the release before")
    release.release(*runs, folder, replace=True)
    assert content(folder) == before


def test_a_refiner_of_another_base_is_refused(folder, trained, tmp_path):
    base, before = tmp_path / "base", content(folder)
    base.mkdir()
    state, about = load_tensors(trained / "base" / "checkpoint.safetensors")
    state["ema.conv_in.weight"] += 1e-3
    save_tensors(base / "checkpoint.safetensors", state, **about)
    with pytest.raises(ValueError, match="was trained on another base"):
        release.release(base, trained / "refiner", folder, replace=True)
    assert content(folder) == before


def test_a_network_of_another_size_does_not_replace_the_shipped_one(trained):
    before = content(model.FOLDER)
    with pytest.raises(ValueError, match=r"\(8, 16, 32\) channels.*--smoke"):
        release.release(trained / "base", trained / "refiner", replace=True)
    assert content(model.FOLDER) == before
    model.load()


def draw(folder, out):
    """In a process of its own."""
    torch.set_num_threads(1)
    loaded = model.load(folder=folder)
    x = generate(loaded, loaded.denoiser("a dog"), [0], [900, 500, -1])
    save_tensors(out, {"x": x})


def test_a_released_model_draws_the_same_in_each_process(folder):
    out = folder.parent / "x.safetensors"
    assert finish(start(draw, folder, out)) == [0]
    schedule, path = Schedule.cosine(), [900, 500, -1]
    x, again = (
        sample(m.denoiser("a dog"), (3, 64, 64), path, schedule, seeds=[0])
        for m in (model.load(folder=folder), model.load(folder=folder))
    )
    assert_close(x, again, atol=0, rtol=0)
    assert_close(load_tensors(out)[0]["x"], x, atol=1e-6, rtol=1e-5)


def test_a_released_model_says_its_schedule(folder):
    saved = DDPMScheduler.from_pretrained(folder / "scheduler")
    assert saved.config.prediction_type == "v_prediction"
    assert_close(saved.alphas_cumprod.double(), Schedule.cosine().alpha_bar, atol=1e-6, rtol=1e-4)


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
