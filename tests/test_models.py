"""What ships: the weights, their histories, and the benchmark results that were measured on them."""

import json
import sys
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from diffusion_utils.files import ROOT, digest, load_tensors
from diffusion_utils.metrics import DigitClassifier
from diffusion_utils.mnist import judge
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.judge import WEIGHTS, accuracy_on_test_digits, load_classifier
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import (
    MODELS,
    load_network,
    release,
    released,
    released_average,
    trained,
)
from diffusion_utils.mnist.train import train_digits
from diffusion_utils.pictures import to_unit

STORED = ROOT / "benchmarks" / "results"
OF_NO_WEIGHTS = (
    "mnist_train_step",
    "mnist_precision",
    "emoji64_short_runs",
)
RESULTS = sorted(p for p in STORED.glob("*.json") if p.stem not in OF_NO_WEIGHTS)
SHIPPED = sorted(MODELS.rglob("*.safetensors"))


@pytest.mark.parametrize("name", RECIPES)
def test_released_networks_are_of_their_recipe(name):
    networks, history = released(name)
    recipe = RECIPES[name]
    for network in networks.values():
        assert network.config == recipe.network().config
    assert list(networks) == list(recipe.save_epochs)
    assert [row.step for row in history] == list(range(1, recipe.steps + 1))


# b2_to_noise has more timesteps of much noise, where the noise is easily seen
HIGHEST_LOSS = {"b1": 0.0090, "b2": 0.031, "b2_to_noise": 0.031, "b3": 0.031}


@pytest.mark.parametrize("name", RECIPES)
def test_the_loss_has_come_down(name):
    last = [row.loss for row in released(name)[1][-100:]]
    assert sum(last) / 100 <= HIGHEST_LOSS[name]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.parent.name + "-" + p.stem)
def test_weights_are_finite_and_their_digest_is_recorded(path):
    assert f"{digest(path)}  {path.name}" in (path.parent / "SHA256SUMS").read_text().splitlines()
    assert all(tensor.isfinite().all() for tensor in load_tensors(path)[0].values())


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_results_were_measured_on_the_shipped_weights(path):
    measured = json.loads(path.read_text())["sha256"]
    assert measured
    for name, sha256 in measured.items():
        assert digest(ROOT / name) == sha256, (
            f"{path.name} is stale: run the benchmark that writes it again"
        )


@pytest.mark.parametrize("name", ["b1", "b2", "b3"])
def test_results_are_of_the_newest_weights_and_enough_images(name):
    result = json.loads((STORED / f"mnist_{name}.json").read_text())
    newest = max((MODELS / name).glob("step-*.safetensors"))
    assert newest.relative_to(ROOT).as_posix() in result["sha256"]
    assert result["epoch"] == max(released(name)[0])
    assert result["images"] == 1000
    asked = {
        "b1": ("sigma", [0, 0.2, 0.4, 0.5, 0.6, 0.8, 1]),
        "b2": ("steps", [300, 100, 50, 25, 10, 300, 50, 10, 50, 25, 10, 10, 10, 50, 50, None]),
        "b3": ("gamma", [0, 0.5, 1, 1.25, 1.5, 2, 3, 5, None]),
    }
    key, values = asked[name]
    assert [row.get(key) for row in result["rows"]] == values  # the last are of real digits


def test_training_was_fast_when_it_was_measured():
    networks = json.loads((STORED / "mnist_train_step.json").read_text())["networks"]
    for row, D, ratio in zip(networks, (128, 64), (2.5, 2.0), strict=True):
        assert row["D"] == D
        assert row["ours"] > ratio * row["plain"]
        assert row["ours"] > 0.75 * row["roofline"]


def test_bf16_was_no_further_from_fp32_than_another_seed():
    result = json.loads((STORED / "mnist_precision.json").read_text())
    assert result["steps"] == 200
    assert 0 < result["apart"]["bf16"] <= result["apart"]["fp32, another seed"]


def test_the_judge_of_digits_is_good_enough():
    assert WEIGHTS.exists()
    measured = accuracy_on_test_digits(load_classifier())
    assert measured > 0.993
    assert load_tensors(WEIGHTS)[1]["test_accuracy"] == pytest.approx(measured)


def test_the_judge_of_digits_learns_their_names_shifted_turned_and_scaled(monkeypatch):
    """On 384 digits: it names them right, and saw none as it is, nor any that is unlike it."""
    images, labels = (part[:384] for part in mnist(train=False))
    seen = []

    class Watched(DigitClassifier):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    monkeypatch.setattr(judge, "mnist", lambda train: (images, labels))
    monkeypatch.setattr(judge, "DigitClassifier", Watched)
    model = judge.train_classifier(epochs=15)
    shown, clean = torch.cat(seen), to_unit(images)
    assert len(shown) == 15 * 384 and not model.training
    assert (model(clean).argmax(1) == labels).float().mean() > 0.5
    distance = torch.cdist(shown.flatten(1), clean.flatten(1)).amin(1)
    assert (distance < 0.5).float().mean() < 0.05
    # as much ink as before, give or take a scale of 0.9 to 1.1
    ink, before = shown.mean((1, 2, 3)), clean.mean((1, 2, 3))
    assert ink.mean().item() == pytest.approx(before.mean().item(), rel=0.05)
    y = torch.arange(28.0) - 13.5
    for dim in (2, 3):
        where = (shown.sum((1, dim)) * y).sum(1) / shown.sum((1, 2, 3))
        still = (clean.sum((1, dim)) * y).sum(1) / clean.sum((1, 2, 3))
        assert where.std() > still.std() + 0.2
        assert where.abs().max() < 1.1 * still.abs().max() + 0.08 * 28 + 1


def test_a_worse_judge_does_not_replace_the_shipped_one(tmp_path, monkeypatch):
    shipped = tmp_path / "shipped.safetensors"
    shipped.write_bytes(b"the shipped one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge, "WEIGHTS", shipped)
    monkeypatch.setattr(judge, "train_classifier", lambda _: DigitClassifier())
    monkeypatch.setattr(judge, "accuracy_on_test_digits", lambda _: 0.99)
    monkeypatch.setattr(sys, "argv", ["judge", "--out", str(shipped)])
    with pytest.raises(SystemExit, match="0.9900: not good enough"):
        judge.main()
    monkeypatch.setattr(sys, "argv", ["judge"])
    judge.main()
    assert (tmp_path / "runs" / "classifier" / "classifier.safetensors").exists()
    assert shipped.read_bytes() == b"the shipped one"


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown recipe 'b4'"):
        released("b4")


def altered_copy(path, folder):
    """A copy of a file of weights with one byte changed, beside the record of its folder."""
    folder.mkdir()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (folder / path.name).write_bytes(data)
    (folder / "SHA256SUMS").write_bytes((path.parent / "SHA256SUMS").read_bytes())
    return folder / path.name


@pytest.mark.parametrize("pattern, load", [("step-*", released), ("average.*", released_average)])
def test_an_altered_file_is_refused(tmp_path, pattern, load):
    altered_copy(min((MODELS / "b2").glob(pattern)), tmp_path / "b2")
    with pytest.raises(ValueError, match="not the file that was recorded"):
        load("b2", tmp_path)


def test_an_altered_judge_is_refused(tmp_path, monkeypatch):
    altered = altered_copy(WEIGHTS, tmp_path / "judge")
    monkeypatch.setattr(judge, "WEIGHTS", altered)
    with pytest.raises(ValueError, match="not the file that was recorded"):
        load_classifier()


@pytest.fixture
def small_b2(monkeypatch):
    """The recipe of B2 with a tiny network and eight black images, one step to an epoch."""
    small = replace(RECIPES["b2"], hidden=8, images=8, batch_size=8)
    data = (torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.zeros(8, dtype=torch.long))
    monkeypatch.setitem(RECIPES, "b2", small)
    monkeypatch.setattr("diffusion_utils.mnist.release.mnist", lambda: data)
    return small, data


def test_release_keeps_weights_to_half_precision(tmp_path, small_b2):
    recipe, data = small_b2
    run = train_digits(recipe, tmp_path / "run", data, Accelerator(cpu=True), stop_after=7)
    assert len(list(run)) == 7
    release(tmp_path / "run", tmp_path / "models")
    networks, history = released("b2", tmp_path / "models")
    assert list(networks) == [5, 7]
    assert len(history) == 7
    original = load_network(tmp_path / "run" / "epoch-05.safetensors").state_dict()
    for key, tensor in networks[5].state_dict().items():
        torch.testing.assert_close(tensor, original[key], rtol=1e-3, atol=1e-4)


def test_a_network_of_another_size_does_not_replace_the_shipped_one(tmp_path):
    before = {path: digest(path) for path in SHIPPED}
    tiny = replace(RECIPES["b2"], hidden=8, images=8, batch_size=8)
    data = (torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.zeros(8).long())
    assert list(train_digits(tiny, tmp_path, data, Accelerator(cpu=True), stop_after=1))
    with pytest.raises(ValueError, match="another network than the book's b2.*--smoke"):
        release(tmp_path)
    assert {path: digest(path) for path in SHIPPED} == before


def test_weights_that_another_run_left_behind_are_not_released(tmp_path, small_b2):
    recipe, data = small_b2
    assert list(train_digits(recipe, tmp_path / "a", data, Accelerator(cpu=True)))
    assert list(train_digits(recipe, tmp_path / "b", data, Accelerator(cpu=True), stop_after=3))
    late = tmp_path / "b" / "epoch-20.safetensors"
    late.write_bytes((tmp_path / "a" / late.name).read_bytes())
    release(tmp_path / "b", tmp_path / "models")
    assert list(released("b2", tmp_path / "models")[0]) == [3]


def test_a_release_that_fails_leaves_the_one_before(tmp_path, small_b2):
    recipe, data = small_b2
    for end in (6, 8):
        run = train_digits(recipe, tmp_path / "run", data, Accelerator(cpu=True), stop_after=end)
        assert list(run)
        if end == 6:
            folder = release(tmp_path / "run", tmp_path / "models")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "run" / "history.csv").rename(tmp_path / "history.csv")
    with pytest.raises(FileNotFoundError, match="history.csv"):
        release(tmp_path / "run", tmp_path / "models")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "history.csv").rename(tmp_path / "run" / "history.csv")
    release(tmp_path / "run", tmp_path / "models")
    assert list(released("b2", tmp_path / "models")[0]) == [5, 8]


def test_retraining_runs_the_recipe_and_leaves_the_shipped_weights(tmp_path, small_b2, monkeypatch):
    before = [digest(path) for path in SHIPPED]
    monkeypatch.setattr("diffusion_utils.mnist.release.ROOT", tmp_path)
    monkeypatch.setenv("RETRAIN", "1")
    networks, history = trained("b2")
    assert list(networks) == [5, 20]
    assert len(history) == 20
    assert {network.config["hidden"] for network in networks.values()} == {8}
    assert [digest(path) for path in SHIPPED] == before
