import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from diffusion_utils.denoisers import NoiseEstimate, clipped, guided
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps

SHAPE = (2, 1, 4, 4)
EPS_C, V_C, EPS_U, V_U, X = torch.randn(
    5, *SHAPE, generator=torch.Generator().manual_seed(0)
).double()


def estimate(gamma, v_c=V_C, v_u=V_U):
    return guided(
        lambda x, t: NoiseEstimate(EPS_C, v_c), lambda x, t: NoiseEstimate(EPS_U, v_u), gamma
    )(X, 7)


def test_guidance_of_zero_is_the_unconditional_estimate():
    assert estimate(0).eps.equal(EPS_U)


@pytest.mark.parametrize("gamma", [1, 1.0])
def test_guidance_of_one_is_the_conditional_denoiser_alone(gamma):
    def unasked(x, t):
        raise AssertionError("the unconditional estimate is not needed")

    estimate = guided(lambda x, t: NoiseEstimate(EPS_C, V_C), unasked, gamma)(X, 7)
    assert estimate.eps.equal(EPS_C) and estimate.nu.equal(V_C)


def test_guidance_near_one_is_near_the_conditional_estimate():
    assert_close(estimate(1 + 1e-12).eps, EPS_C)  # by the formula, without the shortcut


@given(st.floats(-3, 12))
def test_guidance_is_linear_in_gamma(gamma):
    assert_close(estimate(gamma).eps, (1 - gamma) * EPS_U + gamma * EPS_C)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 7])
def test_variance_is_the_conditional_one(gamma):
    assert estimate(gamma).nu.equal(V_C)
    assert estimate(gamma, v_c=None).nu is None
    assert estimate(gamma, v_u=None).nu.equal(V_C)


def test_guided_shows_both_denoisers_the_same_image_and_timestep():
    seen = []

    def denoise(x, t):
        seen.append((x, t))
        return NoiseEstimate(x)

    guided(denoise, denoise, 7)(X, 3)
    assert len(seen) == 2
    assert all(x.equal(X) and t == 3 for x, t in seen)


def test_guidance_leaves_its_inputs_alone():
    before = [tensor.clone() for tensor in (EPS_C, EPS_U, X)]
    estimate(7)
    assert all(a.equal(b) for a, b in zip(before, (EPS_C, EPS_U, X), strict=True))


def test_an_estimate_of_an_image_in_range_stays_as_it_is():
    schedule = Schedule.cosine()
    x_0, eps = torch.rand(1, 3, 8, 8) * 2 - 1, torch.randn(1, 3, 8, 8)
    x_t = schedule.forward(x_0, 500, eps)
    denoise = clipped(lambda x, t: NoiseEstimate(eps, V_C), schedule)
    assert_close(denoise(x_t, 500).eps, eps, atol=1e-5, rtol=1e-5)
    assert denoise(x_t, 500).nu is V_C


def test_an_estimate_of_an_image_out_of_range_becomes_that_of_the_nearest():
    schedule = Schedule.cosine()
    x_0, eps = torch.full((1, 1, 2, 2), 3.0), torch.randn(1, 1, 2, 2)
    x_t = schedule.forward(x_0, 500, eps)
    new = clipped(lambda x, t: NoiseEstimate(eps), schedule)(x_t, 500).eps
    assert_close(schedule.predict_x0(x_t, 500, new), torch.ones(1, 1, 2, 2))


def test_a_small_error_does_not_explode_where_it_is_clipped():
    schedule = Schedule.cosine()
    x_0, noise = torch.rand(1, 3, 32, 32) * 2 - 1, generators([0])

    def one_percent_off(x_t, t):
        alpha_bar = schedule.at(t, x_t)
        eps = (x_t - alpha_bar.sqrt() * x_0) / (1 - alpha_bar).sqrt()
        return NoiseEstimate(1.01 * eps)

    def largest(denoise):
        x = unit_noise((3, 32, 32), noise)
        path = spaced_timesteps(1000, 50)  # from 999 on, where x_0 is hardest to see
        steps = trajectory(denoise, x, path, schedule, generators=noise)
        return max(s.x.abs().max() for s in steps)

    assert largest(one_percent_off) > 20
    assert largest(clipped(one_percent_off, schedule)) < 6
