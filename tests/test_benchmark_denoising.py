"""What benchmarks.denoising measures, on pictures where the answer is known."""

import pytest
import torch

from benchmarks import denoising
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.schedule import Schedule


def test_sharpness_is_of_the_steepest_jumps_and_grain_of_the_flat_places():
    """Halves in white and black: 3 x 64 jumps of 2 among 3 x 2 x 64 x 63. Blurred, the same step takes
    twice as many; the grain is that of every other row of the white half."""
    original = torch.ones(1, 3, 64, 64)
    original[..., 32:] = -1
    steepest, there = 3 * 2 * 64 * 63 // 20, 3 * 64
    assert denoising.sharpness(original).item() == pytest.approx(2 * there / steepest)
    assert denoising.sharpness(original / 4).item() == pytest.approx(0.5 * there / steepest)
    moved = original.roll(5, dims=-1)  # as sharp, at another place
    moved[..., :5] = 1
    assert denoising.sharpness(moved) == denoising.sharpness(original)
    estimate = original.clone()
    estimate[..., ::2, :32] -= 0.1  # 63 x 32 of the flat jumps, of 2 x 64 x 63 - 64 in each colour
    share = 63 * 32 / (2 * 64 * 63 - 64)
    assert denoising.grain(estimate, original).item() == pytest.approx(0.1 * share)
    assert denoising.grain(original, original).item() == 0


class Knows:
    """A model whose every estimate is that of one picture, so that one step brings it back."""

    shape, device, schedule = (3, 64, 64), "cpu", Schedule.cosine()

    def __init__(self, picture):
        self.picture = picture

    def denoiser(self, prompt):
        assert prompt == "a high quality photo"

        def denoise(x_t, t):
            abar = self.schedule.alpha_bar[t].item()
            eps = (x_t - abar**0.5 * self.picture) / (1 - abar) ** 0.5
            return NoiseEstimate(eps)

        return denoise


def test_each_way_starts_from_the_noisy_picture():
    picture = torch.linspace(-0.9, 0.9, 64).expand(1, 3, 64, 64)
    clean = torch.stack([picture[0], -picture[0]])
    ways = denoising.brought_back(Knows(picture), clean, 10, [0, 1])
    known = picture.expand(2, -1, -1, -1)
    torch.testing.assert_close(ways["one step"], known, atol=1e-4, rtol=0)
    left = (1 - Knows.schedule.alpha_bar[0].item()) ** 0.5  # noise at t = 0
    assert (ways["many steps"] - known).std().item() < 1.1 * left
    # the blur knows nothing of the model: the second picture stays the negative one
    right = ways["blur"][..., 48:].mean((1, 2, 3))
    assert right[0] > 0.3 and right[1] < -0.3


def test_each_number_is_of_its_picture_and_timestep(monkeypatch):
    """Ways that return the original, but for the second start, where the last picture is black."""
    clean = torch.rand(5, 3, 64, 64)
    asked = []

    def brought_back(model, some, i_start, seeds):
        asked.extend((i_start, seed) for seed in seeds)
        black = (i_start == 6) * torch.tensor([seed == 0 for seed in seeds])
        return {"way": torch.where(black[:, None, None, None], -1.0, some)}

    monkeypatch.setattr(denoising, "brought_back", brought_back)
    monkeypatch.setattr(denoising, "name_ranks", lambda judge, x, names: [1] * len(x))
    seeds = [4, 3, 2, 1, 0]
    found = denoising.compared(None, None, clean, ["a"] * 5, seeds, batch=2)
    assert asked == [(i, seed) for i in (10, 6, 3) for seed in seeds]
    assert [*found] == ["original", 690, 810, 900]
    for t in 690, 900:
        assert found[t]["way"]["ssim"] == pytest.approx([1.0] * 5)
        assert found[t]["way"]["sharpness"] == found["original"]["sharpness"]
    assert found[810]["way"]["ssim"][:4] == pytest.approx([1.0] * 4)
    assert found[810]["way"]["ssim"][4] < 0.1
