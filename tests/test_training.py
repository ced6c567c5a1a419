import csv
import io
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from processes import as_two, begin, finish, free_port, start
from torch.testing import assert_close

from diffusion_utils.emoji64.recipe import EmojiTask
from diffusion_utils.files import ROOT, load_tensors, save_tensors
from diffusion_utils.mnist import train as mnist_train
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import (
    MNIST_SCHEDULE,
    class_objective,
    denoising_objective,
    noise_objective,
)
from diffusion_utils.mnist.recipes import RECIPES, DigitTask
from diffusion_utils.mnist.release import load_network
from diffusion_utils.mnist.train import main, smoke, train_digits
from diffusion_utils.mnist.unet import UNet
from diffusion_utils.training.loop import average, slice_for, train
from diffusion_utils.training.runs import TrainStep, read_history
from diffusion_utils.training.runtime import progress

ALPHA_BAR = torch.from_numpy(np.cumprod(1 - np.linspace(1e-4, 0.02, 300))).float()


def digits(n, seed=0):
    """Images of noise that carry their number in the first pixel, and labels."""
    images = torch.randint(256, (n, 1, 28, 28), generator=torch.Generator().manual_seed(seed))
    images[:, 0, 0, 0] = torch.arange(n)
    return images.to(torch.uint8), torch.arange(n) * 7 % 10


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# What the network is shown, and what it is asked for


@pytest.mark.parametrize("sigma", [0.5, 0.2])
def test_denoising_objective(sigma):
    x = digits(40)[0] / 255
    (z,), target = denoising_objective(x, seeded(), sigma)
    assert target.equal(x)
    noise = (z - x) / sigma
    n = noise.numel()
    assert noise.mean().abs() < 4 / n**0.5
    assert noise.std().item() == pytest.approx(1, abs=4 / (2 * n) ** 0.5)
    # Gaussian tails
    assert noise.pow(4).mean().item() == pytest.approx(3, abs=4 * (96 / n) ** 0.5)


def test_denoising_noise_is_half_by_default():
    x = torch.zeros(40, 1, 28, 28)
    assert denoising_objective(x, seeded())[0][0].std().item() == pytest.approx(0.5, abs=0.01)


def test_noise_objective():
    x_0 = digits(200)[0] / 255
    (x_t, times), eps = noise_objective(x_0, seeded())
    t = (times * 300).round().long()
    assert_close(times, t / 300)
    alpha_bar = ALPHA_BAR[t].view(-1, 1, 1, 1)
    assert_close((x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt(), x_0, rtol=1e-4, atol=1e-4)
    assert eps.mean().abs() < 4 / eps.numel() ** 0.5
    assert eps.std().item() == pytest.approx(1, abs=4 / (2 * eps.numel()) ** 0.5)


def test_every_timestep_is_drawn_about_equally_often():
    n = 60_000
    (_, times), _ = noise_objective(torch.zeros(n, 1, 1, 1), seeded())
    counts = (times * 300).round().long().bincount()
    assert len(counts) == 300  # 0 .. 299, all of them
    expected = n / 300
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_square == pytest.approx(299, abs=4 * (2 * 299) ** 0.5)


def test_class_objective():
    n = 10_000
    x_0, labels = torch.rand(n, 1, 2, 2, generator=seeded(1)), torch.arange(n) % 10
    (x_t, times, c), eps = class_objective(x_0, labels, seeded())
    alpha_bar = ALPHA_BAR[(times * 300).round().long()].view(-1, 1, 1, 1)
    assert_close((x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt(), x_0, rtol=1e-4, atol=1e-4)
    dropped = (c == 0).all(1)
    assert c[~dropped].equal(F.one_hot(labels, 10).float()[~dropped])
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=4 * (0.09 / n) ** 0.5)
    # whether a class is dropped depends on nothing else
    assert (dropped.view(-1, 10).float().mean(0) - 0.1).abs().max() < 0.05
    late = times > 0.5
    assert abs(dropped[late].float().mean() - dropped[~late].float().mean()) < 0.03


@pytest.mark.parametrize("name", ["b2", "b3"])
def test_a_batch_is_noised_by_the_schedule_of_its_recipe(name):
    recipe = replace(RECIPES[name], beta_end=0.067)
    x_0, labels = torch.rand(500, 1, 2, 2, generator=seeded(1)), torch.arange(500) % 10
    (x_t, times, *_), eps = recipe.objective(x_0, labels, seeded())
    alpha_bar = (1 - torch.linspace(1e-4, 0.067, 300, dtype=torch.float64)).cumprod(0).float()
    alpha_bar = alpha_bar[(times * 300).round().long()].view(-1, 1, 1, 1)
    expected = alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps
    assert_close(x_t, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p_uncond, kept", [(0.0, 50), (1.0, 0)])
def test_class_is_dropped_always_or_never(p_uncond, kept):
    (_, _, c), _ = class_objective(
        torch.zeros(50, 1, 1, 1), torch.zeros(50, dtype=torch.long), seeded(), p_uncond
    )
    assert c.sum() == kept


# The recipes


@pytest.mark.parametrize(
    "name, steps, batch", [("b1", 1175, 256), ("b2", 9380, 128), ("b3", 9380, 128)]
)
def test_recipe_is_the_coursework_s(name, steps, batch):
    recipe = RECIPES[name]
    assert recipe.steps == steps == len(range(0, 60_000, batch)) * recipe.epochs
    assert (recipe.batch_size, recipe.images) == (batch, 60_000)
    hidden, classes, epochs = {"b1": (128, 0, 5), "b2": (64, 0, 20), "b3": (64, 10, 20)}[name]
    assert (recipe.hidden, recipe.num_classes, recipe.time) == (hidden, classes, name != "b1")
    assert recipe.epochs == epochs
    assert set(recipe.save_epochs) == ({1, 5} if name == "b1" else {5, 20})
    assert_close(MNIST_SCHEDULE.alpha_bar.float(), ALPHA_BAR)


@pytest.mark.parametrize(
    "name, lr, gamma", [("b1", 1e-4, 1), ("b2", 1e-3, 0.1 ** (1 / 20)), ("b3", 1e-3, 0.1**0.05)]
)
def test_learning_rate_is_that_of_exponential_lr(name, lr, gamma):
    recipe = RECIPES[name]
    task = DigitTask(recipe, (None, None))
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    for epoch in range(recipe.epochs):
        expected = pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        n = recipe.steps_per_epoch
        for step in (n * epoch + 1, n * epoch + n):
            assert task.lr_at(step) == expected
            assert task.epoch_at(step) == epoch + 1
        optimizer.step()
        scheduler.step()


def test_network_starts_from_the_same_weights_and_leaves_the_global_seed_alone():
    recipe = smoke(RECIPES["b3"])
    torch.manual_seed(1)
    first, number = recipe.network(), torch.rand(1)
    torch.manual_seed(2)
    second = recipe.network().state_dict()
    torch.manual_seed(1)
    assert torch.rand(1).equal(number)
    assert all(tensor.equal(second[name]) for name, tensor in first.state_dict().items())


def small(recipe, **changes):
    return replace(
        RECIPES[recipe], **{"hidden": 4, "images": 20, "batch_size": 8, "epochs": 3} | changes
    )


def test_an_epoch_shows_each_image_once_with_its_label():
    recipe, data = small("b3"), digits(20)
    assert recipe.steps_per_epoch == 3
    orders = []
    for epoch in range(2):
        shown = []
        for step in range(3 * epoch + 1, 3 * epoch + 4):
            (x_t, times, c), eps = DigitTask(recipe, data).batch(step)
            assert len(eps) == (8 if step % 3 else 4)
            alpha_bar = ALPHA_BAR[(times * 300).round().long()].view(-1, 1, 1, 1)
            x_0 = (x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()
            chosen = (x_0[:, 0, 0, 0] * 255).round().long()
            assert_close(x_0, data[0][chosen] / 255, rtol=1e-3, atol=1e-3)
            dropped = (c == 0).all(1)
            assert c.argmax(1)[~dropped].equal(data[1][chosen][~dropped])
            shown += chosen.tolist()
        assert sorted(shown) == list(range(20))
        orders.append(shown)
    assert orders[0] != orders[1] != sorted(orders[1])


def test_noise_is_fresh_in_each_step_and_the_same_in_each_process():
    recipe, data = small("b1", images=8), digits(8)
    noises = []
    for step in (1, 2, 3):
        torch.manual_seed(step)  # whatever the global generator does
        (z,), x = DigitTask(recipe, data).batch(step)
        (again,), _ = DigitTask(recipe, data).batch(step)
        assert z.equal(again)
        noises.append((z - x).flatten())
    assert torch.corrcoef(torch.stack(noises)).triu(1).abs().max() < 0.06


# The loop


def plain_losses(recipe, data, parts=1):
    """The losses of a loop as any student writes it; `parts` is what each of that many processes sees."""
    model = recipe.network().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(
        optimizer, recipe.lr_end ** (1 / recipe.epochs)
    )
    losses = []
    for step in range(1, recipe.steps + 1):
        inputs, target = DigitTask(recipe, data).batch(step)
        chunks = zip(*(tensor.chunk(parts) for tensor in (*inputs, target)), strict=True)
        loss = sum(F.mse_loss(model(*chunk[:-1]), chunk[-1]) for chunk in chunks) / parts
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % recipe.steps_per_epoch == 0:
            scheduler.step()
    return losses


def trained(recipe, run, data=None, **options):
    """The rows of a run that goes on to its end, or to `stop_after`."""
    data, device = data or digits(recipe.images), Accelerator(cpu=True)
    return [row for row, _ in train_digits(recipe, run, data, device, **options)]


@pytest.mark.parametrize("name", RECIPES)
def test_losses_are_those_of_a_plain_loop(tmp_path, name):
    recipe = small(name, images=32, epochs=4, lr=1e-3)
    rows = trained(recipe, tmp_path)
    assert [row.step for row in rows] == list(range(1, 17))
    assert [row.epoch for row in rows] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert_close([row.loss for row in rows], plain_losses(recipe, digits(32)), rtol=1e-3, atol=0)
    assert all(a.seconds <= b.seconds for a, b in zip(rows, rows[1:], strict=False))
    for stored, row in zip(read_history(tmp_path / "history.csv"), rows, strict=True):
        assert stored[:2] == row[:2]
        assert_close(stored[2:], row[2:], rtol=1e-4, atol=1e-2)


def test_training_lowers_the_loss(tmp_path):
    recipe = small("b1", hidden=8, images=64, batch_size=16, epochs=8, lr=1e-2)
    losses = [row.loss for row in trained(recipe, tmp_path)]
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


class Line:
    """A task as small as can be: a line through points, far away, so that gradients are large."""

    def __init__(self, max_norm, decay):
        self.recipe = RECIPES["b1"]  # any dataclass will do
        self.max_norm, self.decay = max_norm, decay

    def network(self):
        line = torch.nn.Linear(1, 1)
        line.weight.data.fill_(0.5), line.bias.data.fill_(0.1)
        return line

    def optimizer(self, network):
        return torch.optim.SGD(network.parameters(), lr=9.0)

    def batch(self, step):
        x = torch.randn(6, 1, generator=seeded(step))
        return (x,), 30 * x - 20

    def lr_at(self, step):
        return 0.1 / step

    def epoch_at(self, step):
        return 1

    def ema_at(self, step):
        return self.decay and self.decay / step


def test_the_average_has_the_statistics_of_batchnorm():
    network, mean = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    network(torch.randn(4, 2, 3, 3, generator=seeded(0)) + 5)
    average(mean, network, 0.5)
    assert mean.running_mean.equal(network.running_mean) and mean.running_mean.min() > 0.1
    assert mean.num_batches_tracked == 1


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("max_norm", [None, 2.0])
def test_gradients_are_clipped_and_weights_averaged_as_the_task_says(tmp_path, max_norm, decay):
    task = Line(max_norm, decay)
    *_, (last, networks) = train(task, tmp_path, Accelerator(cpu=True), steps=5)
    shown = networks["ema" if decay else "model"]
    a, b = mean_a, mean_b = 0.5, 0.1
    for step in range(1, 6):
        (x,), y = task.batch(step)
        error = a * x + b - y
        slope = np.array([(2 * error * x).mean().item(), (2 * error).mean().item()])
        if max_norm:
            assert np.linalg.norm(slope) > max_norm  # else nothing would be clipped
            slope *= max_norm / np.linalg.norm(slope)
        a, b = (a, b) - 0.1 / step * slope
        share = decay / step if decay else 0
        mean_a = share * mean_a + (1 - share) * a
        mean_b = share * mean_b + (1 - share) * b
        loss = error.square().mean().item()
    assert last.loss == pytest.approx(loss, rel=1e-4)
    assert last.lr == pytest.approx(0.02)
    expected = (mean_a, mean_b) if decay else (a, b)
    assert (shown.weight.item(), shown.bias.item()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("task, max_norm", [(DigitTask, None), (EmojiTask, 1.0)])
def test_emoji64_clips_its_gradients_and_the_coursework_does_not(task, max_norm):
    assert task.max_norm == max_norm


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_shares_of_the_processes_are_the_batch(processes):
    class Process:
        num_processes = processes

    shares = []
    for index in range(processes):
        Process.process_index = index
        shares.append(list(range(96))[slice_for(Process, 96)])
    assert sum(shares, []) == list(range(96))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# A run that is stopped, damaged or mixed up


def run_to_the_end(recipe, run):
    torch.set_num_threads(1)
    trained(recipe, run, checkpoint_steps=3)


def last_step(run):
    try:
        return read_history(run / "history.csv")[-1].step
    except (FileNotFoundError, IndexError, ValueError):
        return 0


def without_seconds(run):
    with open(run / "history.csv", newline="") as f:
        return [row[:-1] for row in csv.reader(f)]


@pytest.mark.parametrize("name", ["b1", "b3"])
def test_killed_at_random_and_restarted_it_ends_the_same(tmp_path, name):
    # 4 epochs of 8 steps, a checkpoint every 3 steps and at the end
    recipe = small(name, images=64, batch_size=8, epochs=4, save_epochs=(2, 4))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    begun = start(run_to_the_end, recipe, whole)
    moments, kills = random.Random(name), 0
    for target in sorted(moments.randrange(32) for _ in range(7)):
        process = start(run_to_the_end, recipe, killed)
        while process.is_alive() and last_step(killed) < target:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        process.kill()
        kills += finish(process) == [-signal.SIGKILL]
    assert kills >= 3
    assert finish(begun, start(run_to_the_end, recipe, killed)) == [0, 0]
    assert len(without_seconds(whole)) == 1 + recipe.steps
    assert without_seconds(killed) == without_seconds(whole)
    for file in ("epoch-02.safetensors", "epoch-04.safetensors", "checkpoint.safetensors"):
        (state, about), (expected, about_expected) = (
            load_tensors(killed / file),
            load_tensors(whole / file),
        )
        assert about == about_expected and state.keys() == expected.keys()
        assert all(state[key].equal(expected[key]) for key in expected)


def test_weights_of_an_epoch_are_written_before_the_checkpoint_that_passes_it(
    tmp_path, monkeypatch
):
    """The process dies while it writes them: the next one must come by the end of that epoch again."""
    recipe = small("b2", save_epochs=(2,))

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mnist_train, "save_tensors", die)
        with pytest.raises(KeyboardInterrupt):
            trained(recipe, tmp_path, checkpoint_steps=1)
    assert load_tensors(tmp_path / "checkpoint.safetensors")[1]["step"] == 5
    rows = trained(recipe, tmp_path, stop_after=6, checkpoint_steps=1)
    assert [row.step for row in rows] == [6]
    network = load_network(tmp_path / "epoch-02.safetensors").state_dict()
    state, about = load_tensors(tmp_path / "checkpoint.safetensors")
    assert about["step"] == 6
    assert all(state[f"model.{name}"].equal(value) for name, value in network.items())


def test_finished_run_is_left_alone(tmp_path):
    recipe = small("b2")
    assert len(trained(recipe, tmp_path)) == 9
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert trained(recipe, tmp_path) == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def stop_after(recipe, run, step, **options):
    """Leave a run at a step, with the checkpoint of the last even one."""
    data, accelerator = digits(recipe.images), Accelerator(cpu=True)
    rows = train_digits(recipe, run, data, accelerator, checkpoint_steps=2, **options)
    for row, _ in rows:
        if row.step == step:
            break


def test_a_run_that_is_told_to_stop_keeps_its_last_step(tmp_path):
    def steps(**options):
        return [row.step for row in trained(small("b2"), tmp_path, **options)]

    assert steps(stop_after=5) == [1, 2, 3, 4, 5]
    assert steps(stop_after=5) == []
    assert steps() == [6, 7, 8, 9]


def test_hours_end_a_run_and_count_those_before_it_was_stopped(tmp_path):
    task, device = DigitTask(small("b2"), digits(20)), Accelerator(cpu=True)

    def steps(**options):
        return [row.step for row, _ in train(task, tmp_path, device, **options)]

    assert steps(hours=1e-9) == [1]
    assert load_tensors(tmp_path / "checkpoint.safetensors")[1]["step"] == 1
    assert steps(hours=1e-9) == []
    assert steps(steps=3, hours=1) == [2, 3]
    history = tmp_path / "history.csv"
    *lines, last = history.read_text().splitlines()
    spent = ",".join([*last.split(",")[:-1], "3600.00"])
    history.write_text("\n".join([*lines, spent, ""]))
    assert steps(hours=1) == []
    (row,) = [row for row, _ in train(task, tmp_path, device, steps=4, hours=2)]
    assert 3600 <= row.seconds < 3660


@pytest.mark.parametrize(
    "change", [dict(hidden=8), dict(lr=1e-2), dict(seed=1), dict(name="other")]
)
def test_folder_of_another_recipe_is_refused(tmp_path, change):
    stop_after(small("b2"), tmp_path, 5)
    history = (tmp_path / "history.csv").read_text()
    with pytest.raises(ValueError, match="holds a run of another recipe.*--out"):
        stop_after(small("b2", **change), tmp_path, 5)
    assert (tmp_path / "history.csv").read_text() == history


@pytest.mark.parametrize("size", [0, 100, -1])
def test_damaged_checkpoint_is_a_clear_error(tmp_path, size):
    stop_after(small("b2"), tmp_path, 5)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    history = (tmp_path / "history.csv").read_text()
    with pytest.raises(
        ValueError, match="checkpoint.safetensors is not a readable safetensors file"
    ):
        stop_after(small("b2"), tmp_path, 5)
    assert (tmp_path / "history.csv").read_text() == history


def test_line_of_the_history_that_was_cut_off_is_left_out(tmp_path):
    path = tmp_path / "history.csv"
    whole = "step,epoch,loss,lr,seconds\n1,1,0.5,0.001,1.25\n"
    line = "2,1,0.25,0.001,2.50\n"
    for length in range(len(line)):
        path.write_text(whole + line[:length])
        assert read_history(path) == [TrainStep(1, 1, 0.5, 0.001, 1.25)]
    path.write_text(whole + line)
    assert read_history(path) == [
        TrainStep(1, 1, 0.5, 0.001, 1.25),
        TrainStep(2, 1, 0.25, 0.001, 2.5),
    ]


# The command line


def command(name, run, *options):
    options = "--smoke", "--precision", "no", *options
    return ["diffusion_utils.mnist.train", name, "--out", str(run), *options]


def stopped_after(step, run, process, how):
    while process.is_alive() and last_step(run) < step:
        time.sleep(0.001)
    os.kill(process.pid, how)
    return finish(process)[0]


@pytest.mark.parametrize("name", RECIPES)
def test_smoke_run_writes_everything(tmp_path, name):
    run, shown = tmp_path / name, tmp_path / "stderr"
    arguments = command(name, run, "--checkpoint-steps", "5")
    if name == "b2":
        process = begin(arguments, shown)
        assert stopped_after(11, run, process, signal.SIGKILL) == -signal.SIGKILL
        # what a process leaves that is killed while it saves
        (run / ".checkpoint.safetensors.1.partial").write_bytes(b"half")
    assert finish(begin(arguments, shown)) == [0], shown.read_text()
    assert "loss=" in shown.read_text()  # the progress bar
    recipe = smoke(RECIPES[name])
    last = f"epoch-{recipe.epochs:02d}.safetensors"
    first = f"epoch-{min(recipe.save_epochs):02d}.safetensors"
    written = {path.name for path in run.iterdir()}
    assert written == {"history.csv", "checkpoint.safetensors", first, last}
    history = read_history(run / "history.csv")
    assert [row.step for row in history] == list(range(1, recipe.steps + 1))
    assert load_network(run / last).config == recipe.network().config
    rows = trained(recipe, tmp_path / "again", mnist())
    assert_close([row.loss for row in history], [row.loss for row in rows], rtol=1e-3, atol=0)
    assert_close([row.lr for row in history], [row.lr for row in rows], rtol=1e-5, atol=0)


def test_ctrl_c_says_that_the_run_can_go_on(tmp_path):
    run, shown = tmp_path / "run", tmp_path / "stderr"
    assert stopped_after(3, run, begin(command("b2", run), shown), signal.SIGINT) == 1
    assert "Traceback" not in shown.read_text()
    assert "the same command goes on from the last checkpoint, if there is one" in shown.read_text()


GOES_ON = "stopped; the same command goes on from the last checkpoint, if there is one"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("diffusion_utils", "stopped"),
        ("diffusion_utils.mnist.train", GOES_ON),
        ("diffusion_utils.emoji64.train", GOES_ON),
        ("diffusion_utils.deepfloyd", "stopped; nothing is written"),
    ],
)
def test_ctrl_c_while_a_command_starts_is_one_line(command, line):
    """Torch takes seconds to import; here its import is the moment at which Ctrl-C comes."""
    code = (
        "import runpy, signal, sys\n"
        "class AtTorch:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'torch': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, AtTorch())\n"
        f"runpy.run_module({command!r}, run_name='__main__', alter_sys=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == f"\n{line}\n"


def test_bf16_trains_like_fp32(tmp_path):
    losses = {}
    for precision in ("no", "bf16"):
        run = tmp_path / precision
        options = ["--precision", precision, "--stop-after", "8"]
        assert finish(begin(command("b3", run, *options), tmp_path / "stderr")) == [0]
        losses[precision] = [row.loss for row in read_history(run / "history.csv")]
    assert losses["bf16"] != losses["no"]
    assert_close(losses["bf16"], losses["no"], rtol=0.02, atol=0)


def test_unknown_recipe_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train", "b4"])
    with pytest.raises(SystemExit):
        main()
    assert "invalid choice: 'b4'" in capsys.readouterr().err


def test_two_processes_train_the_same_network_and_go_on_after_a_stop(tmp_path):
    """As the README says, with `accelerate launch`; the second time without its start."""
    run = tmp_path / "two"
    # --multi_gpu is the flag that starts several processes, with a GPU or without
    flags = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    flags += f" --dynamo_backend no --main_process_port {free_port()} -m"
    launch = [sys.executable, "-m", "accelerate.commands.launch", *flags.split()]
    done = subprocess.run(
        [*launch, *command("b3", run, "--stop-after", "17")],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert last_step(run) == 17
    assert finish(*as_two(command("b3", run), tmp_path)) == [0, 0]
    recipe, data = smoke(RECIPES["b3"]), mnist()
    history = read_history(run / "history.csv")
    assert [row.step for row in history] == list(range(1, recipe.steps + 1))
    losses = torch.tensor([row.loss for row in history])
    # each process normalises its half of the batch by itself
    halves, whole = (torch.tensor(plain_losses(recipe, data, parts)) for parts in (2, 1))
    assert_close(losses, halves, rtol=1e-4, atol=0)
    # one process normalises the whole batch, so its losses are near, and not the same
    assert_close(losses, whole, rtol=5e-3, atol=0)
    assert not torch.allclose(losses, whole, rtol=1e-4, atol=0)
    load_network(run / "epoch-20.safetensors")


def test_processes_that_find_different_runs_are_refused(tmp_path, monkeypatch):
    recipe, accelerator = smoke(RECIPES["b2"]), Accelerator(cpu=True)
    other = torch.tensor([5])
    monkeypatch.setattr(accelerator, "gather", lambda own: torch.cat([own, other]))
    with pytest.raises(ValueError, match=r"different steps, \[0, 5\].*the same folder"):
        next(train_digits(recipe, tmp_path, mnist(), accelerator))


def test_the_bar_of_a_run_that_goes_on_begins_where_it_does():
    rows = [(TrainStep(step, 1, 0.5, 1e-3, 1.0), "network") for step in (81, 82)]
    shown = io.StringIO()
    assert list(progress(rows, 100, file=shown, mininterval=0)) == rows
    assert "82/100" in shown.getvalue() and "loss=0.5000" in shown.getvalue()
    assert list(progress([], 100)) == []


# The weights that come out


def saved(path, network, **about):
    save_tensors(path, network.state_dict(), config=network.config, **about)


def test_saved_network_comes_back(tmp_path):
    torch.manual_seed(0)
    network = UNet(8, time=True, num_classes=10)
    x, t, c = torch.rand(4, 1, 28, 28), torch.rand(4), torch.eye(10)[:4]
    network(x, t, c)  # moves BatchNorm's running statistics
    saved(tmp_path / "weights.safetensors", network, step=3)
    loaded = load_network(tmp_path / "weights.safetensors")
    assert loaded.config == network.config and not loaded.training
    with torch.no_grad():
        assert_close(loaded(x, t, c), network.eval()(x, t, c))


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    network = UNet(8, time=True)
    for config in (
        {"hidden": 16, "time": True},
        {"hidden": 8},
        {"hidden": 8, "time": True, "num_classes": 10},
    ):
        save_tensors(path, network.state_dict(), config=config)
        with pytest.raises(ValueError, match="does not hold the weights of this U-Net"):
            load_network(path)
    save_tensors(path, network.state_dict(), config={"channels": 8})
    with pytest.raises(ValueError, match="does not hold the weights"):
        load_network(path)
    save_tensors(path, network.state_dict())
    with pytest.raises(ValueError, match="does not hold the weights"):
        load_network(path)


def test_missing_weights_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileNotFoundError, match="No such file"):
        load_network(path)
