"""The border to DeepFloyd IF, on a tiny model of its classes that the test builds."""

import re
import shutil
from functools import partial
from importlib import metadata

import httpx2
import pytest
import tiny_if
import torch
from diffusers import IFSuperResolutionPipeline
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.utils import filter_repo_objects
from torch.testing import assert_close

from diffusion_utils import tasks
from diffusion_utils.deepfloyd import __main__ as shell
from diffusion_utils.deepfloyd import model as adapter
from diffusion_utils.deepfloyd import stage_2, text, weights
from diffusion_utils.denoisers import NoiseEstimate, clipped, guided
from diffusion_utils.files import load_tensors, save_tensors
from diffusion_utils.pictures import hole
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import CLEAN
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import FLIP

TIMESTEPS = [990, 660, 330, 0]
AT_ONCE = [500, CLEAN]
# The hub's folder of one stage, in the formats and precisions that it offers.
ON_THE_HUB = """model_index.json README.md scheduler/scheduler_config.json
text_encoder/config.json text_encoder/model-00001-of-00002.safetensors
text_encoder/model.fp16-00001-of-00002.safetensors text_encoder/model.safetensors.index.fp16.json
text_encoder/pytorch_model.fp16-00001-of-00002.bin
tokenizer/special_tokens_map.json tokenizer/spiece.model tokenizer/tokenizer_config.json
unet/config.json unet/diffusion_pytorch_model.bin unet/diffusion_pytorch_model.fp16.safetensors
unet/diffusion_pytorch_model.safetensors safety_checker/model.fp16.safetensors""".split()


@pytest.fixture(scope="module")
def pipeline():
    return tiny_if.pipeline()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pipeline):
    path = tmp_path_factory.mktemp("if")
    pipeline.save_pretrained(path / "stage1")
    (path / "stage2").mkdir()
    tiny_if.save_stage_2(path / "stage2")
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


def step_of(scheduler, monkeypatch, estimate, t, t_prev, x_t, z):
    scheduler.set_timesteps(timesteps=[t, t_prev] if t_prev >= 0 else [t])
    monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: z)
    return scheduler.step(torch.cat(estimate, 1), t, x_t).prev_sample


@pytest.mark.parametrize(("t", "t_prev"), [(990, 960), (500, 470), (60, 30)])
def test_our_step_is_that_of_diffusers_without_its_threshold(model, monkeypatch, t, t_prev):
    x_t, z = torch.randn(2, 1, 3, 64, 64)
    eps, v = model.denoiser("a dog")(x_t, t)
    at = monkeypatch, (eps, v), t, t_prev, x_t, z
    x0_hat = model.schedule.predict_x0(x_t, t, eps)
    ours = model.schedule.step(x_t, x0_hat, t, t_prev, z, v)
    assert_close(ours, step_of(tiny_if.unclipped(), *at), atol=2e-3, rtol=2e-3)
    assert (ours - step_of(tiny_if.clipped(), *at)).abs().max() > 0.01


def test_a_whole_trajectory_is_that_of_the_pipeline_without_its_threshold(
    model, pipeline, monkeypatch
):
    noise = generators([3])
    draws = [unit_noise(model.shape, noise) for _ in range(6)]
    timesteps = [999, 666, 333, 0]  # there it draws no noise
    ours_draws, their_draws = iter(draws[1:]), iter(draws[1:])
    monkeypatch.setattr("diffusion_utils.sampling.unit_noise", lambda *a: next(ours_draws))
    denoise = guided(model.denoiser("a dog"), model.denoiser(""), 7.0)
    ours = last(trajectory(denoise, draws[0], [*timesteps, -1], model.schedule, generators=noise))
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: next(their_draws)
    )
    monkeypatch.setattr(pipeline, "prepare_intermediate_images", lambda *a, **k: draws[0])
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a dog", negative_prompt="", timesteps=timesteps, guidance_scale=7.0, output_type="pt"
    ).images
    assert apart(ours, theirs) < 0.001


def by_every_recipe(model):
    """A small picture by each recipe, and the first of them enlarged."""
    image, mask = (torch.linspace(-1, 1, 3 * 64 * 64).view(3, 64, 64), hole(10, 10, 40, 40))
    dog = tasks.prompted(model, "a dog")
    two = ["a dog", "a cat"]
    small = [
        tasks.generate(model, dog, [0], TIMESTEPS),
        tasks.sdedit(model, dog, image, 1, [0], TIMESTEPS),
        tasks.inpaint(model, dog, image, mask, [0], 2, TIMESTEPS),
        tasks.generate(model, tasks.visual_anagram(model, two, [FLIP]), [0], TIMESTEPS),
        tasks.generate(model, tasks.hybrid(model, two), [0], TIMESTEPS),
    ]
    large = model.upsample(small[0].clamp(-1, 1), "a dog", [0], timesteps=AT_ONCE)
    return small, large


def test_every_recipe_runs(model):
    small, large = by_every_recipe(model)
    for x in small:
        assert x.shape == (1, 3, 64, 64) and x.isfinite().all()
    assert large.shape == (1, 3, tiny_if.LARGE, tiny_if.LARGE)
    assert large.isfinite().all()


@pytest.fixture
def upsample(model, monkeypatch):
    """The second stage in one step."""
    short = partial(model.upsample, timesteps=AT_ONCE)
    monkeypatch.setattr(model, "upsample", short)
    return short


def test_pictures_are_enlarged_by_the_second_stage(model, upsample):
    x = torch.full((1, 3, 64, 64), 1.5)
    large = tasks.enlarged(model, x, "a dog", [0])
    assert apart(large, upsample(x - 0.5, "a dog", [0])) == 0
    assert large.shape == (1, 3, tiny_if.LARGE, tiny_if.LARGE)


def test_upsampling_looks_at_the_small_image_and_the_prompt(upsample):
    small = torch.zeros(2, 3, 64, 64)
    both = upsample(small, "a dog", [0, 1])
    assert apart(both[1:], upsample(small[:1], "a dog", [1])) < 0.01
    assert apart(both, upsample(small + 0.5, "a dog", [0, 1])) > 0.01
    assert apart(both, upsample(small, "a cat", [0, 1])) > 0.01


def apart(x, y):
    """Relative distance; random weights make values large, so single ones say little."""
    return ((x - y).norm() / y.norm()).item()


def test_the_second_stage_visits_the_timesteps_of_diffusers():
    theirs = tiny_if.clipped()
    theirs.set_timesteps(50)
    assert [*theirs.timesteps.tolist(), CLEAN] == stage_2.TIMESTEPS


@pytest.mark.parametrize(("t", "t_prev"), [(980, 960), (500, 480), (40, 20), (0, CLEAN)])
def test_a_clipped_step_is_that_of_diffusers(model, monkeypatch, t, t_prev):
    x_t, eps, v, z = torch.randn(4, 2, 3, 16, 16)
    schedule = model.schedule
    denoise = clipped(lambda x, t: NoiseEstimate(eps, v), schedule)
    new, same = denoise(x_t, t)
    x0_hat = schedule.predict_x0(x_t, t, new)
    ours = schedule.step(x_t, x0_hat, t, t_prev, z, same)
    at = monkeypatch, (eps, v), t, t_prev, x_t, z
    assert_close(ours, step_of(tiny_if.clipped(), *at), atol=1e-4, rtol=1e-4)


def test_the_second_stage_is_that_of_the_pipeline(model, pipeline, monkeypatch):
    small, timesteps = torch.rand(1, 3, 64, 64) * 2 - 1, [980, 600, 300, 0]
    ours = model.upsample(small, "a dog", [3], timesteps=[*timesteps, CLEAN])
    noise = generators([3])
    shown, x, *later = [unit_noise((3, tiny_if.LARGE, tiny_if.LARGE), noise) for _ in range(6)]
    theirs = IFSuperResolutionPipeline(
        pipeline.tokenizer,
        pipeline.text_encoder,
        weights.load_unet(model.stage_2, "cpu")[0],
        tiny_if.clipped(),
        tiny_if.clipped(),
        None,
        None,
        None,
        requires_safety_checker=False,
    )
    draws = iter([shown, *later])
    for place in (
        "pipelines.deepfloyd_if.pipeline_if_superresolution",
        "schedulers.scheduling_ddpm",
    ):
        monkeypatch.setattr(f"diffusers.{place}.randn_tensor", lambda *a, **k: next(draws))
    monkeypatch.setattr(theirs, "prepare_intermediate_images", lambda *a, **k: x)
    theirs.set_progress_bar_config(disable=True)
    expected = theirs(
        "a dog",
        image=small,
        negative_prompt="",
        timesteps=timesteps,
        guidance_scale=4.0,
        noise_level=250,
        output_type="pt",
        clean_caption=False,
    ).images
    assert_close(ours, expected, atol=1e-3, rtol=1e-3)


def test_prompts_from_a_file(model, folder, tmp_path, monkeypatch):
    file = tmp_path / "prompts.safetensors"
    text.embed(["a dog"], file, "cpu")
    monkeypatch.setenv("DEEPFLOYD_EMBEDDINGS", str(file))
    monkeypatch.setattr(text.PromptEncoder, "load", lambda self: pytest.fail("loaded"))
    other = load_pretrained(device="cpu")
    x_t = torch.randn(1, 3, 64, 64)
    assert other.denoiser("a dog")(x_t, 9).eps.isfinite().all()
    with pytest.raises(ValueError, match="no embedding of 'a cat'"):
        other.denoiser("a cat")


def test_a_file_of_prompts_that_is_not_there(model, monkeypatch):
    monkeypatch.setenv("DEEPFLOYD_EMBEDDINGS", "prompts.safetensors")
    with pytest.raises(FileNotFoundError, match="DEEPFLOYD_EMBEDDINGS.*whole path"):
        load_pretrained(device="cpu")


def test_a_name_that_cannot_be_one(monkeypatch):
    monkeypatch.setenv("DEEPFLOYD_MODEL", "models/if/stage 1")
    with pytest.raises(ValueError, match="models/if/stage 1 is no folder here"):
        load_pretrained("deepfloyd", "cuda")
    monkeypatch.setenv("DEEPFLOYD_MODEL", "models/if/stage 1@main")
    with pytest.raises(OSError, match="could not be fetched.*check the name"):
        load_pretrained("deepfloyd", "cuda")


def test_a_device_of_torch_s_is_a_device(model):
    assert load_pretrained(device=torch.device("cpu")).device == "cpu"


def test_a_stored_embedding_is_the_encoder_s(model, tmp_path):
    text.embed(["a dog"], tmp_path / "p.safetensors", "cpu")
    encode = text.stored(tmp_path / "p.safetensors", "cpu")
    assert_close(encode("a dog")[0], model.encode("a dog")[0])


def test_no_gpu(monkeypatch):
    monkeypatch.delenv("DEEPFLOYD_MODEL", raising=False)
    with pytest.raises(RuntimeError, match="needs a GPU.*DIFFUSION_MODEL=emoji64"):
        load_pretrained("deepfloyd", "cpu")


def answer(kind, status):
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://example.org"))
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

    monkeypatch.setattr(weights, "snapshot_download", refuse)
    monkeypatch.setenv("DEEPFLOYD_MODEL", "DeepFloyd/IF-I-XL-v1.0")
    with pytest.raises(OSError, match=message):
        adapter.load("cuda")


def test_too_little_memory():
    with pytest.raises(RuntimeError, match="memory of cuda is too small"):
        with weights.memory_of("cuda"):
            raise torch.OutOfMemoryError("CUDA out of memory")


def test_too_little_memory_while_drawing(model, monkeypatch):
    denoise = model.denoiser("a dog")

    def forward(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("diffusers.UNet2DConditionModel.forward", forward)
    with pytest.raises(RuntimeError, match="memory of cpu is too small"):
        denoise(torch.zeros(1, 3, 64, 64), 9)


def test_the_text_encoder_is_freed_before_the_network_runs(model):
    denoise = model.denoiser("a dog")
    assert model.encode.loaded is not None
    denoise(torch.zeros(1, 3, 64, 64), 9)
    assert model.encode.loaded is None
    again = model.denoiser("a cat")  # loaded once more for a new prompt
    assert again(torch.zeros(1, 3, 64, 64), 9).eps.isfinite().all()


def test_the_empty_prompt_is_encoded_with_the_first(model, monkeypatch):
    loads, load = [], text.PromptEncoder.load
    monkeypatch.setattr(text.PromptEncoder, "load", lambda self: loads.append(1) or load(self))
    x_t, small = torch.zeros(1, 3, 64, 64), torch.zeros(3, 3, 64, 64)
    model.denoiser("a dog")(x_t, 9)
    model.denoiser("")(x_t, 9)
    model.upsample(small[:1], "a dog", [0], timesteps=AT_ONCE)
    assert len(loads) == 1
    model.upsample(small, ["a cat", "a dog", "a bat"], range(3), timesteps=AT_ONCE)
    assert len(loads) == 2


def test_the_text_encoder_is_freed_before_the_second_stage_is_loaded(model, monkeypatch):
    def refuse(*arguments):
        assert {"", "a dog", "a cat"} <= model.conditions.keys()
        assert model.encode.loaded is None
        raise KeyError("loaded")

    monkeypatch.setattr(weights, "load_unet", refuse)
    with pytest.raises(KeyError, match="loaded"):
        model.upsample(torch.zeros(2, 3, 64, 64), ["a dog", "a cat"], [0, 1])


@pytest.fixture
def fetched(folder, monkeypatch):
    """What is fetched from a hub: the names of the files, by the name of the model."""
    files = {}

    def download(name, revision, allow_patterns):
        files[f"{name} {revision}"] = set(
            filter_repo_objects(ON_THE_HUB, allow_patterns=allow_patterns)
        )
        return folder / name.partition("/")[2]

    monkeypatch.setattr(weights, "snapshot_download", download)
    monkeypatch.setenv("DEEPFLOYD_MODEL", "someone/stage1@main")
    return files


NETWORK = {
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "scheduler/scheduler_config.json",
}
ENCODER = {
    "text_encoder/config.json",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "text_encoder/model.safetensors.index.fp16.json",
    "tokenizer/special_tokens_map.json",
    "tokenizer/spiece.model",
    "tokenizer/tokenizer_config.json",
}


@pytest.mark.parametrize(
    ("embeddings", "expected"), [("prompts.safetensors", NETWORK), ("", NETWORK | ENCODER)]
)
def test_the_encoder_is_fetched_where_it_is_needed(
    model, fetched, tmp_path, monkeypatch, embeddings, expected
):
    if embeddings:
        save_tensors(tmp_path / embeddings, {"": torch.zeros(1, 77, 8)})
        monkeypatch.setenv("DEEPFLOYD_EMBEDDINGS", str(tmp_path / embeddings))
    loaded = model.network, model.schedule
    monkeypatch.setattr(weights, "load_unet", lambda *a: loaded)
    monkeypatch.setattr(adapter, "DeepFloyd", lambda *a: None)
    load_pretrained(device="cuda")
    assert fetched == {"someone/stage1 main": expected}


def test_embedding_fetches_the_encoder_alone(fetched, tmp_path, monkeypatch):
    monkeypatch.setattr(text.PromptEncoder, "__call__", lambda *a: (torch.zeros(1),))
    text.embed(["a dog"], tmp_path / "prompts.safetensors", "cuda")
    assert fetched == {"someone/stage1 main": ENCODER}


def test_the_encoder_s_files_suffice(folder, tmp_path):
    for path in (folder / "stage1").rglob("*.*"):
        name = path.relative_to(folder / "stage1").as_posix()
        on_hub = name.replace("model.safetensors", "model.fp16.safetensors")
        if list(filter_repo_objects([on_hub], allow_patterns=weights.ENCODER)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / name)
    assert not (tmp_path / "unet").exists()
    whole = text.PromptEncoder(folder / "stage1", "cpu")
    part = text.PromptEncoder(tmp_path, "cpu")
    assert_close(part("a dog"), whole("a dog"))


def test_only_the_network_of_the_second_stage_is_fetched(model, fetched, monkeypatch):
    loaded = weights.load_unet(model.stage_2, "cpu")
    monkeypatch.setattr(weights, "load_unet", lambda *a: loaded)
    monkeypatch.setattr(model, "stage_2", "someone/stage2@main")
    monkeypatch.setattr(model, "device", "cuda")
    with pytest.raises((RuntimeError, AssertionError)):  # there may be no GPU
        model.upsample(torch.zeros(1, 3, 64, 64), "a dog", [0], timesteps=[20, CLEAN])
    assert fetched == {"someone/stage2 main": NETWORK}


def test_a_revision_is_fetched_as_it_is_named(fetched):
    weights.fetched("someone/stage1@1a2b3c", weights.UNET, "cuda")
    assert fetched == {"someone/stage1 1a2b3c": NETWORK}


def test_a_known_commit_is_fetched_until_another_is_named(fetched, caplog):
    name = "DeepFloyd/IF-II-M-v1.0"
    weights.fetched(name, weights.UNET, "cuda")
    weights.fetched(f"{name}@main", weights.UNET, "cuda")
    assert set(fetched) == {f"{name} {weights.COMMITS[name]}", f"{name} main"}
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in weights.COMMITS.values())


@pytest.mark.parametrize("name", ["someone/stage1", weights.STAGE_1])
def test_nothing_is_fetched_from_a_branch_that_nobody_named(fetched, name):
    with pytest.raises(ValueError, match=f"{name}/commits/main in DEEPFLOYD_MODEL.*{name}@COMMIT"):
        weights.fetched(name, weights.UNET, "cuda")
    assert not fetched


def test_the_commit_that_a_branch_stands_for_is_said(fetched, folder, caplog):
    weights.fetched("someone/stage1@main", weights.UNET, "cuda")
    commit = (folder / "stage1").name  # the hub's library names folders so
    assert f"name someone/stage1@{commit}" in caplog.text
    caplog.clear()
    weights.fetched(f"someone/stage1@{commit}", weights.UNET, "cuda")
    assert not caplog.text


@pytest.fixture
def bare(monkeypatch):
    """A machine where none of the packages is installed that only the encoder needs."""
    monkeypatch.setattr(metadata, "distributions", lambda name: iter(()))


def test_what_the_encoder_needs_on_a_gpu_is_said(folder, bare):
    with pytest.raises(
        ModuleNotFoundError,
        match="pip install bitsandbytes sentencepiece protobuf.*DEEPFLOYD_EMBEDDINGS",
    ):
        text.PromptEncoder(folder / "stage1", "cuda")("a dog")


@pytest.fixture
def listed(model, tmp_path):
    """A list of prompts as an editor of Windows may leave it, and the command that encodes it."""
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"\xef\xbb\xbfa dog  \r\n\r\n\ta cat\r\n  \r\n")
    out = tmp_path / "prompts.safetensors"
    return path, out, ["embed", str(path), "--out", str(out)]


def test_at_the_shell_too(listed, bare, monkeypatch):
    _, out, command = listed
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(SystemExit, match="^error: .*pip install bitsandbytes"):
        shell.main(command)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    shell.main(command)
    assert load_tensors(out)[0].keys() == {"", "a dog", "a cat"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a dog".encode("utf-16"), "no text in UTF-8"),
        (b"\xef\xbb\xbf \r\n", "holds no prompt"),
        ("a dog\nЩ\n".encode(), "knows nothing in the prompt 'щ'"),
        (None, "No such file"),
    ],
)
def test_lists_that_cannot_be_encoded_are_one_line(listed, content, message):
    path, out, command = listed
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        shell.main(command)
    assert not out.exists()


def test_the_list_is_not_written_over(listed):
    path, _, command = listed
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="is the file that is read"):
        shell.main([*command[:-1], str(path)])
    assert path.read_bytes() == before


def test_a_prompt_is_encoded_as_the_pipeline_does(model, pipeline):
    for prompt in ("a dog", " A Dog ", "a cat " * 60):  # the last is cut
        theirs, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
        assert_close(model.encode(prompt)[0], theirs)


def test_what_the_encoder_does_not_know_is_said(model, caplog):
    rocket = model.encode("a \N{ROCKET}")[0]
    assert "is read as 'a rocket'" in caplog.text
    assert_close(rocket, model.encode("a rocket")[0])
    model.encode("a щ dog")
    assert "the text encoder does not know 'щ'" in caplog.text


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_half_precision_is_close_to_single(model, device, folder, tmp_path, monkeypatch):
    """On the CPU too, which computes in half precision only for this test."""
    expected_small, expected_large = by_every_recipe(model)
    prompts = tmp_path / "prompts.safetensors"
    text.embed(["a dog", "a cat"], prompts, "cpu")
    variant = None if device == "cpu" else "fp16"
    for stage in "stage1", "stage2":
        unet, _ = weights.load_unet(folder / stage, "cpu")
        unet.half().save_pretrained(tmp_path / stage / "unet", variant=variant)
        shutil.copytree(folder / stage / "scheduler", tmp_path / stage / "scheduler")
    half = {"torch_dtype": torch.float16, "variant": variant}
    monkeypatch.setattr(weights, "precision", lambda device: half)
    monkeypatch.setenv("DEEPFLOYD_EMBEDDINGS", str(prompts))
    monkeypatch.setenv("DEEPFLOYD_MODEL", str(tmp_path / "stage1"))
    monkeypatch.setenv("DEEPFLOYD_STAGE_2", str(tmp_path / "stage2"))
    small, large = by_every_recipe(load_pretrained(device=device))
    for x, y in zip([*small, large], [*expected_small, expected_large], strict=True):
        assert x.device.type == "cpu" and x.dtype == torch.float32
        assert 0 < apart(x, y) < 0.05


def test_unknown_models():
    with pytest.raises(ValueError, match="unknown model 'if'; there are emoji64, deepfloyd"):
        load_pretrained("if")


def test_embedding_without_a_gpu_says_so_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.delenv("DEEPFLOYD_MODEL", raising=False)
    monkeypatch.setattr(weights, "snapshot_download", None)
    with pytest.raises(RuntimeError, match="needs a GPU"):
        text.embed(["a dog"], tmp_path / "p.safetensors", "cpu")
