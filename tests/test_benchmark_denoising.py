"""What benchmarks.denoising measures, on pictures where the answer is known."""

import pytest
import torch

from benchmarks import denoising
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.pictures import shipped_image
from diffusion_utils.schedule import Schedule


def test_sharpness_is_of_the_steepest_jumps():
    """Halves in white and black: 3 x 64 jumps of 2 among 3 x 2 x 64 x 63."""
    original = torch.ones(1, 3, 64, 64)
    original[..., 32:] = -1
    steepest, there = 3 * 2 * 64 * 63 // 20, 3 * 64
    assert denoising.sharpness(original).item() == pytest.approx(2 * there / steepest)
    assert denoising.sharpness(original / 4).item() == pytest.approx(0.5 * there / steepest)
    moved = original.roll(5, dims=-1)  # as sharp, at another place
    moved[..., :5] = 1
    assert denoising.sharpness(moved) == denoising.sharpness(original)


def test_spots_are_those_of_the_mushroom():
    mushroom = shipped_image("mushroom")
    several = torch.stack([mushroom, mushroom / 2 + 0.3, torch.zeros(3, 64, 64)])
    assert denoising.spots(several).tolist() == pytest.approx([1, 0.5, 0], abs=1e-6)


class Knows:
    """A model whose every estimate is that of one picture, so that one step brings it back."""

    shape, device, schedule = (3, 64, 64), "cpu", Schedule.cosine()

    def __init__(self, picture):
        self.picture = picture

    def denoiser(self, prompts):
        assert prompts == ["a sun", "a moon"]

        def denoise(x_t, t):
            abar = self.schedule.alpha_bar[t].item()
            eps = (x_t - abar**0.5 * self.picture) / (1 - abar) ** 0.5
            return NoiseEstimate(eps)

        return denoise


@pytest.mark.parametrize("i_start", [10, 6])
def test_each_way_starts_from_the_noisy_picture(i_start):
    picture = torch.linspace(-0.9, 0.9, 64).expand(1, 3, 64, 64)
    clean = torch.stack([picture[0], -picture[0]])
    model = Knows(picture)
    ways = denoising.brought_back(model, clean, ["a sun", "a moon"], i_start, [0, 1])
    loops = {"many steps", "no fresh noise", "DDIM"} | ({"steps of 3"} if i_start == 10 else set())
    assert set(ways) == {"blur", "one step"} | loops
    known = picture.expand(2, -1, -1, -1)
    torch.testing.assert_close(ways["one step"], known, atol=1e-4, rtol=0)
    left = (1 - Knows.schedule.alpha_bar[0].item()) ** 0.5  # noise at t = 0
    for way in loops:
        assert (ways[way] - known).std().item() < 1.1 * left
    # the blur knows nothing of the model: the second picture stays the negative one
    right = ways["blur"][..., 48:].mean((1, 2, 3))
    assert right[0] > 0.3 and right[1] < -0.3


def test_ddim_keeps_the_noise_and_a_step_without_fresh_noise_loses_some():
    """A picture of zeros: its noise is x itself, whose spread follows the schedule by DDIM alone."""
    schedule, x = Schedule.cosine(), torch.ones(1, 3, 2, 2)
    steps = {}

    def denoise(x_t, t):
        return NoiseEstimate(x_t / (1 - schedule.at(t, x_t)).sqrt())

    for name, step in {
        "ddim": lambda x, x0_hat, eps, t, t_prev: schedule.forward(x0_hat, t_prev, eps),
        "without": lambda x, x0_hat, eps, t, t_prev: schedule.step(x, x0_hat, t, t_prev, 0 * x),
    }.items():
        steps[name] = denoising.loop(denoise, x, [690, 660, 630], schedule, step).mean().item()
    kept = ((1 - schedule.at(630)) / (1 - schedule.at(690))).sqrt().item()
    assert steps["ddim"] == pytest.approx(kept, rel=1e-4)
    assert steps["without"] < 0.95 * kept


def test_each_number_is_of_its_picture_and_timestep(monkeypatch):
    """Ways that return the original, but for the second start, where the last picture is black."""
    clean = torch.rand(5, 3, 64, 64)
    asked = []

    def brought_back(model, some, prompts, i_start, seeds):
        asked.extend((i_start, *both) for both in zip(prompts, seeds, strict=True))
        black = (i_start == 6) * torch.tensor([seed == 0 for seed in seeds])
        return {"way": torch.where(black[:, None, None, None], -1.0, some)}

    monkeypatch.setattr(denoising, "brought_back", brought_back)
    monkeypatch.setattr(denoising, "name_ranks", lambda judge, x, names: [1] * len(x))
    names, seeds = ["ant", "bee", "cow", "dog", "elk"], [4, 3, 2, 1, 0]
    found = denoising.compared(None, None, clean, names, seeds, batch=2)
    prompts = ["an ant", "a bee", "a cow", "a dog", "an elk"]
    assert asked == [(i, *both) for i in (10, 6, 3, 0) for both in zip(prompts, seeds, strict=True)]
    assert [*found] == ["original", 690, 810, 900, 990]
    for t in 690, 900, 990:
        assert min(found[t]["way"]["psnr"]) > 99
        assert found[t]["way"]["sharpness"] == found["original"]["sharpness"]
    assert min(found[810]["way"]["psnr"][:4]) > 99
    assert found[810]["way"]["psnr"][4] < 10


def test_each_count_is_of_so_many_steps_from_960(monkeypatch):
    """A model that knows the first of two pictures, and always answers with it."""
    picture = torch.linspace(-0.9, 0.9, 64).expand(1, 3, 64, 64)
    asked = []

    class Asked(Knows):
        def denoiser(self, prompts):
            inner = super().denoiser(prompts)
            return lambda x_t, t: asked.append(t) or inner(x_t, t)

    monkeypatch.setattr(denoising, "COUNTS", (1, 4))
    monkeypatch.setattr(denoising, "name_ranks", lambda judge, x, names: [1] * len(x))
    clean = torch.cat([picture, -picture])
    found = denoising.by_count(Asked(picture), None, clean, ["sun", "moon"])
    assert asked == [960] * 2 + [960, 720, 480, 240] * 2  # with fresh noise, then DDIM
    for way in "many steps", "DDIM":
        assert list(found[way]) == [1, 4]
        for measured in found[way].values():
            known, other = measured["psnr"]
            assert known > 30 and other < 10


def test_the_dial_goes_from_ddim_to_the_step_with_fresh_noise():
    picture = torch.linspace(-0.9, 0.9, 64).expand(1, 3, 64, 64)
    clean, prompts, seeds = torch.cat([picture, -picture]), ["a sun", "a moon"], [0, 1]
    model = Knows(picture)
    ways = denoising.brought_back(model, clean, prompts, 6, seeds)
    for eta, way in {0: "DDIM", 1: "many steps"}.items():
        found = denoising.dialled(model, clean, prompts, 6, seeds, eta)
        torch.testing.assert_close(found, ways[way], atol=1e-4, rtol=0)
    half = denoising.dialled(model, clean, prompts, 6, seeds, 0.5)
    assert not torch.allclose(half, ways["DDIM"], atol=1e-3)
    assert not torch.allclose(half, ways["many steps"], atol=1e-3)


def test_the_dial_is_the_share_of_the_fresh_noise(monkeypatch):
    """A picture of zeros: its noise is x itself. Without z, eta squared of the variance is missing."""
    zeros = torch.zeros(2, 3, 64, 64)
    monkeypatch.setattr(denoising, "noise_like", lambda x, generators: torch.zeros_like(x))
    left = {}
    for eta in 0, 0.5, 1:
        x = denoising.dialled(Knows(zeros[:1]), zeros, ["a sun", "a moon"], 32, [0, 1], eta)
        left[eta] = x.var().item()
    assert left[0] == pytest.approx(1 - Knows.schedule.at(0).item(), rel=0.03)
    assert left[0] - left[0.5] == pytest.approx((left[0] - left[1]) / 4, rel=1e-3)
    assert left[1] < left[0] / 2
