"""A release of MNIST weights: only what is better finished, all or nothing, and nothing else counts."""

import sys
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from diffusion_utils import files
from diffusion_utils.files import load_tensors, recorded
from diffusion_utils.mnist import release as room
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import (
    release,
    released,
    released_average,
    steps_of,
    trained,
    with_own_statistics,
)
from diffusion_utils.mnist.train import train_digits

SMALL = replace(RECIPES["b2"], hidden=8, images=8, batch_size=8)  # one step an epoch
DATA = torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.zeros(8, dtype=torch.long)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(RECIPES, "b2", SMALL)


def run_to(step, folder):
    """A run of the recipe that was stopped after a step -> its folder."""
    device = Accelerator(cpu=True)
    for _ in train_digits(SMALL, folder, DATA, device, stop_after=step):
        pass
    return folder


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def models(tmp_path):
    """A folder of released weights after steps 5 and 7."""
    release(run_to(7, tmp_path / "first"), tmp_path / "models")
    return tmp_path / "models"


@pytest.mark.parametrize("step", [1, 6, 7])
def test_what_is_not_better_finished_is_refused(models, tmp_path, step):
    before, run = content(models), run_to(step, tmp_path / "second")
    with pytest.raises(ValueError, match=f"has {step} steps.*has 7.*--replace"):
        release(run, models)
    assert content(models) == before
    release(run, models, replace=True)
    assert max(released("b2", models)[0]) == step


def test_what_is_better_finished_is_not(models, tmp_path):
    release(run_to(8, tmp_path / "first"), models)
    networks, history = released("b2", models)
    assert list(networks) == [5, 8] and len(history) == 8
    names = {path.name for path in (models / "b2").iterdir()}
    weights = {f"{name}.safetensors" for name in ("step-00005", "step-00008", "average")}
    assert names == weights | {"history.csv", "SHA256SUMS"}


def test_the_average_ships_beside_the_weights(tmp_path):
    run = run_to(8, tmp_path / "run")
    release(run, tmp_path / "models")
    state = load_tensors(run / "checkpoint.safetensors")[0]
    shipped = released_average("b2", tmp_path / "models").state_dict()
    for name, tensor in shipped.items():
        torch.testing.assert_close(tensor, state[f"ema.{name}"], rtol=1e-3, atol=1e-4)
    assert any(not state[f"ema.{name}"].equal(state[f"model.{name}"]) for name in shipped)
    with pytest.raises(FileNotFoundError):
        released_average("b1", tmp_path / "models")


def test_own_statistics_are_those_of_the_batches(monkeypatch):
    """On the one batch that they were taken from, eval mode is nearly what train mode is."""
    generator = torch.Generator().manual_seed(0)
    digits = torch.randint(256, (64, 1, 28, 28), generator=generator, dtype=torch.uint8)
    monkeypatch.setattr(room, "mnist", lambda: (digits, torch.zeros(64, dtype=torch.long)))
    recipe = replace(SMALL, images=64, batch_size=64)
    network, inputs = recipe.network().eval(), room.DigitTask(recipe, room.mnist()).batch(1)[0]
    before = network(*inputs)
    own = with_own_statistics(network, recipe, batches=1)(*inputs)
    assert network(*inputs).equal(before)
    assert not torch.allclose(own, before, atol=0.1)
    torch.testing.assert_close(own, network.train()(*inputs), rtol=0.1, atol=0.1)


def test_a_run_that_lost_the_weights_of_an_epoch_is_refused(models, tmp_path):
    run, before = run_to(8, tmp_path / "first"), content(models)
    (run / "epoch-05.safetensors").unlink()
    with pytest.raises(ValueError, match="lacks the weights of epoch 5"):
        release(run, models)
    assert content(models) == before


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["save_tensors", "record_sha256"])
def test_a_release_that_is_stopped_replaces_nothing(models, tmp_path, monkeypatch, error, where):
    run, before, original = run_to(8, tmp_path / "first"), content(models), []

    def fail_the_second_time(*arguments, **options):
        original.append(arguments)
        if len(original) == 2 or where == "record_sha256":
            raise error
        return getattr(files, where)(*arguments, **options)

    monkeypatch.setattr(room, where, fail_the_second_time)
    with pytest.raises(type(error)):
        release(run, models)
    assert content(models) == before


def test_stopped_between_the_two_renames_the_old_folder_comes_back(models, monkeypatch):
    before, rename = content(models), files.Path.rename

    def stop(self, target):
        if self.name.endswith(".new"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(files.Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(models / "b2") as new:
        (new / "history.csv").write_text("new")
    assert content(models) == before


def test_a_leftover_does_not_shadow_what_is_recorded(models):
    folder = models / "b2"
    newest = folder / "step-00007.safetensors"
    (folder / "step-00020.safetensors").write_bytes(newest.read_bytes())
    (folder / "step-00001.safetensors").write_bytes(b"of a stopped run")
    assert list(released("b2", models)[0]) == [5, 7]


def test_a_recorded_file_that_is_missing_is_named(models):
    (models / "b2" / "step-00005.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="step-00005"):
        released("b2", models)


def test_another_file_in_the_folder_is_kept(models, tmp_path):
    (models / "b2" / "notes.txt").write_text("mine")
    release(run_to(8, tmp_path / "first"), models)
    assert (models / "b2" / "notes.txt").read_text() == "mine"


def test_the_steps_that_ship_are_read_from_their_record(models):
    folder = models / "b2"
    assert steps_of(folder) == {step: folder / f"step-0000{step}.safetensors" for step in (5, 7)}
    assert recorded(folder).keys() == {
        "average.safetensors",
        *(path.name for path in steps_of(folder).values()),
    }


def test_the_command_refuses_in_one_line(models, tmp_path, monkeypatch):
    run = run_to(2, tmp_path / "second")
    monkeypatch.setattr(room, "release", lambda run, **o: release(run, models, **o))
    monkeypatch.setattr(sys, "argv", ["release", str(run)])
    with pytest.raises(SystemExit, match="^error: .*unless you add --replace"):
        room.main()
    monkeypatch.setattr(sys, "argv", ["release", str(run), "--replace"])
    room.main()
    assert list(released("b2", models)[0]) == [2]
    monkeypatch.setattr(sys, "argv", ["release", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="^error: there is no run in .*none"):
        room.main()


def test_retraining_again_gives_the_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "ROOT", tmp_path)
    monkeypatch.setattr(room, "mnist", lambda: DATA)
    monkeypatch.setenv("RETRAIN", "1")
    for _ in range(2):
        assert list(trained("b2")[0]) == [5, 20]
