"""The border to DeepFloyd IF, on a tiny model of its classes that the test builds."""

from fnmatch import fnmatch
from functools import partial

import httpx2
import pytest
import tiny_if
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from torch.testing import assert_close

from diffusion_utils import deepfloyd, recipes
from diffusion_utils.data import hole
from diffusion_utils.denoisers import guided
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.views import FLIP

TIMESTEPS = [990, 660, 330, 0]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_if.pipeline()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pipeline):
    path = tmp_path_factory.mktemp("if")
    pipeline.save_pretrained(path / "stage1")
    (path / "stage2").mkdir()
    tiny_if.save_stage_2(path / "stage2", size=128)
    return path


@pytest.fixture
def model(folder, monkeypatch):
    monkeypatch.setenv("DIFFUSION_MODEL", "deepfloyd")
    monkeypatch.setenv("DEEPFLOYD_MODEL", str(folder / "stage1"))
    monkeypatch.setenv("DEEPFLOYD_STAGE_2", str(folder / "stage2"))
    return load_pretrained(device="cpu")


def test_the_six_channels_are_the_noise_and_the_variance(model, pipeline):
    x_t = torch.randn(2, 3, 64, 64)
    embedding, _ = pipeline.encode_prompt("a dog", do_classifier_free_guidance=False)
    with torch.no_grad():
        out = pipeline.unet(x_t, 500, encoder_hidden_states=embedding.expand(2, -1, -1))
    eps, v = model.denoiser("a dog")(x_t, 500)
    assert_close(torch.cat([eps, v], 1), out.sample, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("t", "t_prev"), [(990, 960), (500, 470), (60, 30)])
def test_our_step_is_that_of_diffusers(model, monkeypatch, t, t_prev):
    theirs = tiny_if.scheduler()
    theirs.set_timesteps(timesteps=[t, t_prev, 0])
    x_t, z = torch.randn(2, 1, 3, 64, 64)
    eps, v = model.denoiser("a dog")(x_t, t)
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: z
    )
    expected = theirs.step(torch.cat([eps, v], 1), t, x_t).prev_sample
    x0_hat = model.schedule.predict_x0(x_t, t, eps)
    ours = model.schedule.step(x_t, x0_hat, t, t_prev, z, v)
    assert_close(ours, expected, atol=2e-3, rtol=2e-3)


def test_a_whole_trajectory_is_that_of_the_pipeline(model, pipeline, monkeypatch):
    noise = generators([3])
    draws = [unit_noise(model.shape, noise) for _ in range(6)]
    timesteps = [999, 749, 499, 249]
    ours_draws, their_draws = iter(draws[1:]), iter(draws[1:])
    monkeypatch.setattr(
        "diffusion_utils.sampling.unit_noise", lambda *a: next(ours_draws)
    )
    denoise = guided(model.denoiser("a dog"), model.denoiser(""), 7.0)
    ours = last(
        trajectory(
            denoise, draws[0], [*timesteps, -1], model.schedule, generators=noise
        )
    )
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor",
        lambda *a, **k: next(their_draws),
    )
    monkeypatch.setattr(
        pipeline, "prepare_intermediate_images", lambda *a, **k: draws[0]
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a dog",
        negative_prompt="",
        timesteps=timesteps,
        guidance_scale=7.0,
        output_type="pt",
    ).images
    assert_close(ours.clamp(-1, 1) / 2 + 0.5, theirs.clamp(0, 1), atol=5e-3, rtol=5e-3)


def test_every_recipe_runs(model):
    image, mask = torch.rand(3, 64, 64) * 2 - 1, hole(10, 10, 40, 40)
    dog = recipes.prompted(model, "a dog")
    two = ["a dog", "a cat"]
    results = [
        recipes.generate(model, dog, [0], TIMESTEPS),
        recipes.sdedit(model, dog, image, 1, [0], TIMESTEPS),
        recipes.inpaint(model, dog, image, mask, [0], 2, TIMESTEPS),
        recipes.generate(
            model, recipes.visual_anagram(model, two, [FLIP]), [0], TIMESTEPS
        ),
        recipes.generate(model, recipes.hybrid(model, two), [0], TIMESTEPS),
    ]
    for x in results:
        assert x.shape == (1, 3, 64, 64) and x.isfinite().all()
    large = model.upsample(results[0], "a dog", [0], steps=3)
    assert large.shape == (1, 3, 128, 128) and large.isfinite().all()


def test_pictures_are_enlarged_by_the_second_stage(model, monkeypatch):
    monkeypatch.setattr(model, "upsample", partial(model.upsample, steps=2))
    x = torch.full((1, 3, 64, 64), 1.5)
    large = recipes.enlarged(model, x, "a dog", [0])
    assert apart(large, model.upsample(x - 0.5, "a dog", [0])) == 0
    assert large.shape == (1, 3, 128, 128)


def test_upsampling_looks_at_the_small_image_and_the_prompt(model):
    small = torch.zeros(2, 3, 64, 64)
    both = model.upsample(small, "a dog", [0, 1], steps=2)
    assert apart(both[1:], model.upsample(small[:1], "a dog", [1], steps=2)) < 0.01
    assert apart(both, model.upsample(small + 0.5, "a dog", [0, 1], steps=2)) > 0.01
    assert apart(both, model.upsample(small, "a cat", [0, 1], steps=2)) > 0.01


def apart(x, y):
    """Relative distance; random weights make values large, so single ones say little."""
    return ((x - y).norm() / y.norm()).item()


def test_prompts_from_a_file(model, folder, tmp_path, monkeypatch):
    file = tmp_path / "prompts.safetensors"
    deepfloyd.embed(["a dog"], file, "cpu")
    monkeypatch.setenv("DEEPFLOYD_EMBEDDINGS", str(file))
    monkeypatch.setattr(
        deepfloyd.PromptEncoder, "load", lambda self: pytest.fail("loaded")
    )
    other = load_pretrained(device="cpu")
    x_t = torch.randn(1, 3, 64, 64)
    assert other.denoiser("a dog")(x_t, 9).eps.isfinite().all()
    with pytest.raises(ValueError, match="no embedding of 'a cat'"):
        other.denoiser("a cat")


def test_a_stored_embedding_is_the_encoder_s(model, tmp_path):
    deepfloyd.embed(["a dog"], tmp_path / "p.safetensors", "cpu")
    encode = deepfloyd.stored(tmp_path / "p.safetensors", "cpu")
    assert_close(encode("a dog")[0], model.encode("a dog")[0])


def test_no_gpu(monkeypatch):
    monkeypatch.delenv("DEEPFLOYD_MODEL", raising=False)
    with pytest.raises(RuntimeError, match="needs a GPU.*DIFFUSION_MODEL=emoji64"):
        load_pretrained("deepfloyd", "cpu")


def answer(kind, status):
    response = httpx2.Response(
        status, request=httpx2.Request("GET", "https://example.org")
    )
    return kind("refused", response=response)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (answer(GatedRepoError, 403), "accept its licence.*hf auth login"),
        (answer(RepositoryNotFoundError, 401), "could not be fetched.*hf auth login"),
        (ConnectionError("no route"), "could not be fetched.*connection"),
    ],
)
def test_what_the_hub_may_answer(monkeypatch, error, message):
    def refuse(*args, **options):
        raise error

    monkeypatch.setattr(deepfloyd, "snapshot_download", refuse)
    with pytest.raises(OSError, match=message):
        deepfloyd.load("cuda")


def test_too_little_memory():
    def load():
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="memory of cuda is too small"):
        deepfloyd.on_device(load, "cuda")


def test_too_little_memory_while_drawing(model, monkeypatch):
    denoise = model.denoiser("a dog")

    def forward(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("diffusers.UNet2DConditionModel.forward", forward)
    with pytest.raises(RuntimeError, match="memory of cpu is too small"):
        denoise(torch.zeros(1, 3, 64, 64), 9)


def test_the_text_encoder_is_freed_before_the_network_runs(model):
    denoise = model.denoiser("a dog")
    assert model.encode.pipeline is not None
    denoise(torch.zeros(1, 3, 64, 64), 9)
    assert model.encode.pipeline is None
    again = model.denoiser("a cat")  # loaded once more for a new prompt
    assert again(torch.zeros(1, 3, 64, 64), 9).eps.isfinite().all()


def test_only_what_is_needed_of_the_second_stage_is_fetched(model, folder, monkeypatch):
    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        return folder / "stage2"

    monkeypatch.setattr(deepfloyd, "snapshot_download", download)
    monkeypatch.setattr(model, "stage_2", "someone/stage-2")
    model.upsample(torch.zeros(1, 3, 64, 64), "a dog", [0], steps=1)
    [(name, patterns)] = asked
    assert name == "someone/stage-2"
    assert not any(fnmatch("text_encoder/model.fp16.safetensors", p) for p in patterns)
    assert any(fnmatch("unet/x.fp16.safetensors", p) for p in patterns)


def test_without_bitsandbytes(folder, monkeypatch):
    monkeypatch.setattr(deepfloyd.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install bitsandbytes"):
        deepfloyd.PromptEncoder(folder / "stage1", "cuda")("a dog")


def test_unknown_models():
    with pytest.raises(
        ValueError, match="unknown model 'if'; there are emoji64, deepfloyd"
    ):
        load_pretrained("if")


def test_embedding_without_a_gpu_says_so_before_anything_is_fetched(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("DEEPFLOYD_MODEL", raising=False)
    monkeypatch.setattr(deepfloyd, "snapshot_download", None)
    with pytest.raises(RuntimeError, match="needs a GPU"):
        deepfloyd.embed(["a dog"], tmp_path / "p.safetensors", "cpu")
