import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from diffusion_utils.schedule import CLEAN, Schedule, spaced_timesteps, strided_timesteps

SCHEDULE = Schedule.linear(1e-4, 0.02, T=300)
SHAPE = (2, 3, 4, 4)


def scheduler(T, timesteps, variance_type="fixed_small"):
    theirs = DDPMScheduler(
        num_train_timesteps=T,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        variance_type=variance_type,
        clip_sample=False,
    )
    theirs.set_timesteps(timesteps=timesteps)
    return theirs


@pytest.mark.parametrize("stride", [1, 10])
@pytest.mark.parametrize("learned", [False, True])
def test_step_equals_the_one_of_diffusers(stride, learned):
    timesteps = list(range(299 - 299 % stride, -1, -stride))
    theirs = scheduler(300, timesteps, "learned_range" if learned else "fixed_small")
    torch.manual_seed(0)
    for t, t_prev in zip(timesteps, timesteps[1:] + [CLEAN], strict=True):
        x, eps = torch.randn(2, *SHAPE)
        v = torch.rand(SHAPE) * 2 - 1 if learned else None
        output = torch.cat([eps, v], 1) if learned else eps
        expected = theirs.step(output, t, x, generator=torch.Generator().manual_seed(t))
        z = torch.randn(SHAPE, generator=torch.Generator().manual_seed(t))
        x0_hat = SCHEDULE.predict_x0(x, t, eps)
        assert_close(x0_hat, expected.pred_original_sample, rtol=1e-4, atol=1e-4)
        # float32 keeps three to four digits of a beta of 1e-4, in both libraries
        assert_close(
            SCHEDULE.step(x, x0_hat, t, t_prev, z, v), expected.prev_sample, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("v", [None, -1.0, 0.0, 1.0])
def test_noise_of_a_step_has_the_variance_between_the_two_bounds(v):
    betas = np.linspace(1e-4, 0.02, 300)
    alpha_bar = np.cumprod(1 - betas)
    zero, one = (
        torch.zeros(1, 1, 1, 1, dtype=torch.float64),
        torch.ones(1, 1, 1, 1, dtype=torch.float64),
    )
    for t in range(1, 300):
        lower = betas[t] * (1 - alpha_bar[t - 1]) / (1 - alpha_bar[t])
        expected = {None: lower, -1.0: lower, 0.0: np.sqrt(lower * betas[t]), 1.0: betas[t]}[v]
        noise = SCHEDULE.step(zero, zero, t, t - 1, one, None if v is None else v * one)
        assert_close(noise.item() ** 2, expected, rtol=1e-9, atol=0)


@given(st.integers(0, 299), st.integers(0, 2**32))
def test_predict_x0_inverts_forward(t, seed):
    x_0, eps = torch.randn(
        2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    assert_close(SCHEDULE.predict_x0(SCHEDULE.forward(x_0, t, eps), t, eps), x_0)


@given(st.lists(st.integers(-1, 299), min_size=2, max_size=2))
def test_forward_takes_a_timestep_for_each_image(t):
    x_0, eps = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    each = [SCHEDULE.forward(x_0[i : i + 1], t[i], eps[i : i + 1]) for i in range(2)]
    assert_close(SCHEDULE.forward(x_0, torch.tensor(t), eps), torch.cat(each))


@pytest.mark.parametrize("t_prev, t", [(CLEAN, 0), (CLEAN, 600), (0, 1), (100, 300), (900, 999)])
def test_noising_on_is_noising_all_the_way(t_prev, t):
    """By its three parts: what is left of the image, of the noise that was there, and what comes to it."""
    schedule, one = Schedule.linear(T=1000), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    nothing = torch.zeros_like(one)
    image = schedule.renoise(schedule.forward(one, t_prev, nothing), t_prev, t, nothing)
    noise = schedule.renoise(schedule.forward(nothing, t_prev, one), t_prev, t, nothing)
    more = schedule.renoise(nothing, t_prev, t, one)
    alpha_bar = np.prod(1 - np.linspace(1e-4, 0.02, 1000)[: t + 1])
    assert image.item() == pytest.approx(alpha_bar**0.5, rel=1e-9)
    assert (noise**2 + more**2).item() == pytest.approx(1 - alpha_bar, rel=1e-9)


def test_forward_equals_the_one_of_diffusers():
    x_0, eps = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    theirs = scheduler(300, [299])
    for t in range(0, 300, 23):
        assert_close(
            SCHEDULE.forward(x_0, t, eps), theirs.add_noise(x_0, eps, torch.tensor([t, t]))
        )


def test_clean_is_the_image_itself():
    x_0, x_t, z = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    assert SCHEDULE.forward(x_0, CLEAN, z).equal(x_0)
    for t in (0, 1, 30, 299):
        assert SCHEDULE.step(x_t, x_0, t, CLEAN, z).equal(x_0)
        assert SCHEDULE.step(x_t, x_0, t, CLEAN, z, torch.ones(SHAPE)).equal(x_0)


@settings(max_examples=30)
@given(st.integers(1, 299), st.data())
def test_long_step_is_consistent_with_the_forward_process(t, data):
    # x_t from the true x_0, one posterior step back: x at t_prev must have forward's mean and variance
    t_prev = data.draw(st.integers(0, t - 1))
    one, zero = (
        torch.ones(1, 1, 1, 1, dtype=torch.float64),
        torch.zeros(1, 1, 1, 1, dtype=torch.float64),
    )
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 300))
    mean = SCHEDULE.step(np.sqrt(alpha_bar[t]) * one, one, t, t_prev, zero)
    assert_close(mean.item(), np.sqrt(alpha_bar[t_prev]))
    of_x_t, of_z = (
        SCHEDULE.step(a, zero, t, t_prev, b).item() for a, b in [(one, zero), (zero, one)]
    )
    assert_close(of_x_t**2 * (1 - alpha_bar[t]) + of_z**2, 1 - alpha_bar[t_prev])


def test_a_share_of_the_signal_is_left_where_sampling_starts():
    assert len(SCHEDULE.alpha_bar) == SCHEDULE.T == 300
    assert SCHEDULE.at(299).item() == pytest.approx(0.048, abs=5e-4)
    assert SCHEDULE.at(299).sqrt().item() == pytest.approx(0.22, abs=5e-3)
    assert SCHEDULE.at(0).item() == pytest.approx(1 - 1e-4, abs=1e-12)
    assert_close(SCHEDULE.alpha_bar.numpy(), np.cumprod(1 - np.linspace(1e-4, 0.02, 300)))
    assert Schedule.linear().alpha_bar.equal(SCHEDULE.alpha_bar)  # it is the default


@pytest.mark.parametrize(
    "alpha_bar",
    [
        [],
        [[0.9, 0.5]],
        0.5,
        [0.5, 0.9],
        [0.5, 0.0],
        [0.5, -0.1],
        [1.1, 0.5],
        [1.0, 0.5],
        [0.5, 0.5],
    ],
)
def test_bad_alpha_bar_is_refused(alpha_bar):
    with pytest.raises(ValueError, match="alpha_bar must"):
        Schedule(alpha_bar)


def test_alpha_bar_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="alpha_bar must decrease"):
        Schedule([0.9, float("nan")])


@pytest.mark.parametrize("t", [5.0, torch.tensor([5.0, 6.5])])
def test_timesteps_that_are_no_whole_numbers_are_refused(t):
    with pytest.raises(ValueError, match="timesteps are whole numbers, got"):
        SCHEDULE.at(t)


def test_small_integers_are_timesteps_too():
    assert SCHEDULE.at(torch.tensor([5, 200], dtype=torch.uint8)).equal(
        SCHEDULE.alpha_bar[[5, 200]]
    )


@pytest.mark.parametrize("t", [-2, 300, torch.tensor([0, 300]), torch.tensor([-2, 5])])
def test_unknown_timestep_is_refused(t):
    with pytest.raises(ValueError, match="timestep must be in -1 .. 299"):
        SCHEDULE.forward(torch.zeros(SHAPE), t, torch.zeros(SHAPE))


@pytest.mark.parametrize("t", [5, torch.tensor([5, 200])])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_images_that_are_not_floats_are_refused(t, dtype):
    with pytest.raises(ValueError, match="images must be floats, got torch.*load_image"):
        SCHEDULE.forward(torch.ones(SHAPE, dtype=dtype), t, torch.zeros(SHAPE))


@pytest.mark.parametrize("t, t_prev", [(5, 5), (5, 6), (CLEAN, 0), (CLEAN, CLEAN)])
def test_step_in_the_wrong_order_is_refused(t, t_prev):
    x = torch.zeros(SHAPE)
    with pytest.raises(ValueError, match="smaller timestep"):
        SCHEDULE.step(x, x, t, t_prev, x)


def test_strided_timesteps():
    timesteps = strided_timesteps(990, 30)
    assert len(timesteps) == 34
    assert timesteps[:3] == [990, 960, 930] and timesteps[-2:] == [30, 0]
    assert strided_timesteps(3, 1) == [3, 2, 1, 0]


@pytest.mark.parametrize(
    "start, stride", [(990, 40), (0, 30), (-30, 30), (10, 30), (990, 0), (990, -30)]
)
def test_strided_timesteps_that_would_miss_zero_are_refused(start, stride):
    with pytest.raises(ValueError, match="multiple of stride"):
        strided_timesteps(start, stride)


@given(st.integers(2, 1000), st.data())
def test_spaced_timesteps_are_spread_evenly(T, data):
    steps = data.draw(st.integers(2, T))
    timesteps = spaced_timesteps(T, steps)
    assert len(timesteps) == steps + 1
    assert timesteps[0] == T - 1 and timesteps[-2:] == [0, CLEAN]
    assert np.diff(timesteps).max() <= -1
    even = (T - 1) * (1 - np.arange(steps) / (steps - 1))
    assert np.abs(np.array(timesteps[:-1]) - even).max() <= 0.5 + 1e-4


def test_spaced_timesteps_at_the_ends():
    assert spaced_timesteps(300, 300) == list(range(299, -2, -1))
    assert spaced_timesteps(300, 1) == [299, CLEAN]
    for steps in (0, 301):
        with pytest.raises(ValueError, match="steps must be in 1 .. 300"):
            spaced_timesteps(300, steps)


# The cosine schedule and the velocity, which Emoji-64 is trained with

COSINE = Schedule.cosine()


def test_the_cosine_schedule_is_the_formula_of_its_paper():
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1 - f[1:] / f[:-1], 0.999)
    # the library that it comes from keeps single precision
    assert_close(COSINE.alpha_bar.numpy(), np.cumprod(1 - betas), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("schedule", [SCHEDULE, COSINE], ids=["linear", "cosine"])
def test_the_timestep_of_a_noise_level_inverts_alpha_bar(schedule):
    whole = torch.arange(schedule.T).double()
    assert_close(schedule.timestep(schedule.alpha_bar), whole, rtol=0, atol=1e-6)
    levels = torch.linspace(1, 0, 5000, dtype=torch.float64)
    t = schedule.timestep(levels)
    assert (t.diff() >= 0).all() and t[0] == 0 and t[-1] == schedule.T - 1
    inner = (levels < schedule.alpha_bar[0]) & (levels > schedule.alpha_bar[-1])
    assert (t[inner].diff() > 0).all()
    between = (schedule.alpha_bar[41] + schedule.alpha_bar[42]) / 2
    assert 41 < schedule.timestep(between[None]).item() < 42


def test_the_squared_cosine_is_that_of_diffusers():
    theirs = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert_close(COSINE.alpha_bar.float(), theirs, rtol=1e-4, atol=0)


def test_velocity_is_that_of_diffusers():
    theirs = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    x_0, eps = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0, 10, 500, 999])
    assert_close(COSINE.velocity(x_0, t, eps), theirs.get_velocity(x_0, eps, t))


@given(st.lists(st.integers(0, 998), min_size=4, max_size=4))
def test_noise_and_velocity_undo_each_other(t):
    x_0, eps = torch.randn(
        2, 4, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    t = torch.tensor(t)
    x_t = COSINE.forward(x_0, t, eps)
    v = COSINE.velocity(x_0, t, eps)
    assert_close(COSINE.noise_from_velocity(x_t, t, v), eps)
