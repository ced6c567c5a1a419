"""The tasks of Part A, on a model whose answers are known in closed form."""

import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from diffusion_utils import tasks
from diffusion_utils.denoisers import NoiseEstimate, averaged, blended, guided, viewed
from diffusion_utils.pictures import hole
from diffusion_utils.sampling import (
    generators,
    keep_outside,
    last,
    resampled,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import CLEAN, Schedule
from diffusion_utils.text_to_image import TextToImage
from diffusion_utils.views import FLIP, NEGATIVE, bands, mixed

SCHEDULE = Schedule.linear(1e-4, 0.02, T=1000)
COLOURS = {"red": (0.8, -0.6, -0.6), "blue": (-0.6, -0.6, 0.8), "": (0.0, 0.0, 0.0)}


def network(x_t, t, colour):
    """The exact denoiser of images that are all of one colour, with v near its lower end."""
    alpha_bar = SCHEDULE.at(t, x_t)
    image = colour[..., None, None]
    eps = (x_t - alpha_bar.sqrt() * image) / (1 - alpha_bar).sqrt()
    return NoiseEstimate(eps, image.expand_as(x_t) / 10 - 1)


def encode(prompt):
    return (torch.tensor([COLOURS[prompt]]),)


@pytest.fixture
def model():
    return TextToImage(network, encode, SCHEDULE)


@pytest.fixture
def image():
    return torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(5)) * 2 - 1


def of_colour(name, scale=1.0):
    return scale * torch.tensor(COLOURS[name])[None, :, None, None].expand(1, 3, 64, 64)


def test_a_prompt_is_drawn(model):
    x = tasks.generate(model, model.denoiser("red"), [0, 1])
    assert_close(x, of_colour("red").expand(2, -1, -1, -1), atol=0.1, rtol=0)


def test_guidance_overshoots(model):
    x = tasks.generate(model, tasks.prompted(model, "red", 2.0), [0])
    assert_close(x, of_colour("red", 2.0), atol=0.1, rtol=0)


def test_each_image_of_a_batch_has_its_prompt(model):
    x = tasks.generate(model, tasks.prompted(model, ["red", "blue"], 1.0), [0, 1])
    assert_close(x[1:], of_colour("blue"), atol=0.1, rtol=0)


def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(model, image):
    red = tasks.prompted(model, "red")
    mask = hole(10, 10, 30, 30)
    for task in (
        lambda seeds: tasks.generate(model, red, seeds),
        lambda seeds: tasks.sdedit(model, red, image, 20, seeds),
        lambda seeds: tasks.inpaint(model, red, image, mask, seeds, times=2),
    ):
        assert_close(task([7, 8])[1:], task([8]), atol=1e-6, rtol=1e-6)


def test_sdedit_at_the_end_keeps_the_image_and_at_the_start_forgets_it(model, image):
    red = model.denoiser("red")
    (only,) = tasks.denoise_from(model, red, image, 32, [0])
    assert only.t == 0

    def exact(x_t, t):  # for the one image that there is
        alpha_bar = SCHEDULE.at(t)
        return NoiseEstimate((x_t - alpha_bar.sqrt() * image) / (1 - alpha_bar).sqrt())

    kept = tasks.sdedit(model, exact, image, 32, [0])
    assert abs((kept - image).std() / (1 - SCHEDULE.at(0)).sqrt() - 1) < 0.2
    forgotten = tasks.sdedit(model, red, image, 0, [0])
    assert_close(forgotten, of_colour("red"), atol=0.1, rtol=0)


def test_inpainting_keeps_the_outside(model, image):
    mask = hole(20, 16, 50, 40)
    for times in (1, 3):
        x = tasks.inpaint(model, model.denoiser("red"), image, mask, [3], times)
        outside = (mask == 0).expand(3, -1, -1)
        assert (x[0] - image)[outside].abs().max() < 0.06
        inside = (x[0] - of_colour("red")[0])[~outside]
        assert inside.abs().max() < 0.1


@pytest.mark.parametrize("times, visited", [(1, [9, 6, 3]), (3, [9, 9, 9, 6, 6, 6, 3])])
def test_inpainting_takes_each_step_as_often_as_it_is_asked_the_last_one_once(
    model, image, times, visited
):
    seen, red = [], model.denoiser("red")

    def denoise(x_t, t):
        seen.append(t)
        return red(x_t, t)

    tasks.inpaint(model, denoise, image, hole(0, 0, 8, 8), [0], times, [9, 6, 3, 0])
    assert seen == visited


def test_inpainting_ends_on_the_very_image_at_clean(model, image):
    noise = generators([0])
    constrain = keep_outside(hole(0, 0, 8, 8), image[None], SCHEDULE, noise)
    x = constrain(torch.zeros(1, 3, 64, 64), CLEAN)
    assert_close(x[..., 8:, :], image[None, :, 8:], atol=0, rtol=0)
    assert (x[..., :8, :8] == 0).all()


def test_outside_is_noised_as_much_as_the_step(image):
    constrain = keep_outside(torch.zeros(1, 64, 64), image[None], SCHEDULE, generators([0]))
    x = constrain(torch.zeros(1, 3, 64, 64), 600)
    alpha_bar = SCHEDULE.at(600)
    noise = (x - alpha_bar.sqrt() * image) / (1 - alpha_bar).sqrt()
    assert abs(noise.std() - 1) < 0.02 and abs(noise.mean()) < 0.02


def test_resampling_takes_each_step_several_times():
    assert resampled([9, 6, 3, 0], 1) == [9, 6, 3, 0]
    assert resampled([9, 6, 3, 0], 2) == [9, 6, 9, 6, 3, 6, 3, 0]


def test_noising_on_is_noising(model):
    """From 200 on to 700 must be as from the clean image to 700: same mean, same variance."""
    g = torch.Generator().manual_seed(0)
    x_0, eps, more = (torch.full((1, 3, 64, 64), 0.5), *torch.randn(2, 1, 3, 64, 64, generator=g))
    x = SCHEDULE.renoise(SCHEDULE.forward(x_0, 200, eps), 200, 700, more)
    alpha_bar = SCHEDULE.at(700)
    assert abs(x.mean() - alpha_bar.sqrt() * 0.5) < 0.03
    assert abs(x.var() - (1 - alpha_bar)) < 0.03


def test_going_back_and_forth_keeps_the_distribution():
    """Data N(0.3, 0.5^2) with its exact denoiser, resampled: mean and spread come back."""
    schedule, m, s = Schedule.linear(), 0.3, 0.5

    def exact(x_t, t):
        a = schedule.at(t, x_t)
        x0 = m + a.sqrt() * s**2 / (a * s**2 + 1 - a) * (x_t - a.sqrt() * m)
        return NoiseEstimate((x_t - a.sqrt() * x0) / (1 - a).sqrt())

    noise = generators([0])
    timesteps = resampled([*range(299, -1, -3), CLEAN], 3)
    x = unit_noise((1, 64, 64), noise)
    x = last(trajectory(exact, x, timesteps, schedule, generators=noise))
    assert abs(x.mean() - m) < 0.03 and abs(x.std() - s) < 0.05


def test_an_anagram_averages_what_both_views_say(model):
    x_t = torch.randn(1, 3, 64, 64)
    eps, v = tasks.visual_anagram(model, ["red", "blue"], gamma=1.0)(x_t, 500)
    expected = (model.denoiser("red")(x_t, 500).eps + model.denoiser("blue")(x_t, 500).eps) / 2
    assert_close(eps, expected)  # these colours look the same upside down
    assert_close(v, (of_colour("red") + of_colour("blue")) / 20 - 1)


def patterned(pattern):
    """A model whose estimate is the prompt's colour times a pattern (H, W), whatever it is shown."""

    def network(x_t, t, colour):
        return NoiseEstimate((colour[..., None, None] * pattern).expand_as(x_t))

    return TextToImage(network, encode, SCHEDULE)


def test_an_anagram_turns_the_second_estimate_back():
    ramp = torch.linspace(-1, 1, 64)[:, None].expand(64, 64)
    x_t = torch.zeros(1, 3, 64, 64)
    denoise = tasks.visual_anagram(patterned(ramp), ["red", "blue"], gamma=1.0)
    expected = (of_colour("red") * ramp + of_colour("blue") * ramp.flip(0)) / 2
    assert_close(denoise(x_t, 500).eps, expected)


def test_a_hybrid_takes_fine_detail_from_the_last_prompt():
    row = torch.arange(64)
    checkers = 1.0 - 2 * ((row[:, None] + row) % 2)
    x_t = torch.zeros(1, 3, 64, 64)
    denoise = tasks.hybrid(patterned(1 + checkers), ["red", "blue"], gamma=1.0)
    expected = of_colour("red") + of_colour("blue") * checkers
    assert_close(denoise(x_t, 500).eps, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("recipe", [tasks.visual_anagram, tasks.hybrid])
@pytest.mark.parametrize("prompts", [["red"], ["red", "blue", "red"], "ab", None])
def test_one_prompt_for_each_way_to_look(model, recipe, prompts):
    with pytest.raises(ValueError, match="one prompt more than"):
        recipe(model, prompts)


def test_as_many_seeds_as_images(model, image):
    with pytest.raises(ValueError, match="2 images need as many seeds, got 3"):
        tasks.sdedit(model, model.denoiser("red"), torch.stack([image] * 2), 5, [0, 1, 2])


def test_a_view_turns_the_estimate_back_but_not_the_sign_of_the_variance():
    seen = []

    def denoise(x_t, t):
        seen.append(x_t)
        return NoiseEstimate(x_t * 2, x_t.abs())

    x_t = torch.randn(1, 3, 8, 8)
    for view in (FLIP, NEGATIVE):
        eps, v = viewed(denoise, view)(x_t, 5)
        assert_close(seen[-1], view.apply(x_t))
        assert_close(eps, 2 * x_t)
        assert_close(v, x_t.abs())


def test_an_average_of_one_is_that_one(model):
    x_t = torch.randn(1, 3, 64, 64)
    assert_close(averaged(model.denoiser("red"))(x_t, 9), model.denoiser("red")(x_t, 9))


def test_blending_one_denoiser_with_itself_changes_nothing(model):
    x_t, red = torch.randn(1, 3, 64, 64), model.denoiser("red")
    assert_close(
        blended([red, red, red], bands(4.0, 2.0))(x_t, 9).eps, red(x_t, 9).eps, atol=1e-4, rtol=1e-4
    )


def test_the_coarse_band_of_a_hybrid_is_that_of_the_first_prompt(model):
    x_t = torch.zeros(1, 3, 64, 64)
    eps = tasks.hybrid(model, ["red", "blue"], gamma=1.0)(x_t, 500).eps
    assert_close(eps, model.denoiser("red")(x_t, 500).eps)  # these colours have no fine band


def test_a_hybrid_image_starts_from_the_mixture_of_what_is_drawn_alone(model, monkeypatch):
    """Pictures of one colour but for the far one's left half; its edge is blurred, and white noise is not."""
    drawn = {"red": torch.full((2, 3, 64, 64), -0.5), "blue": torch.full((2, 3, 64, 64), 0.25)}
    drawn["red"][..., :32] = 0.5
    calls, edits = [], []

    def generate(model, prompt, seeds, timesteps):
        calls.append((prompt, seeds, timesteps))
        return drawn[prompt[0]]

    def sdedit(model, denoise, image, i_start, seeds, timesteps):
        edits.append((denoise, image, i_start, seeds, timesteps))
        return "merged"

    monkeypatch.setattr(tasks, "prompted", lambda model, prompt, gamma: (prompt, gamma))
    monkeypatch.setattr(tasks, "generate", generate)
    monkeypatch.setattr(tasks, "sdedit", sdedit)
    both, times = ["red", "blue"], [990, 500, 0]
    assert tasks.hybrid_image(model, both, [3, 4], (2.0,), 1.0, 1, times) == "merged"
    assert calls == [(("red", 1.0), [3, 4], times), (("blue", 1.0), [3, 4], times)]
    [(denoise, mixture, *rest)] = edits
    assert rest == [1, [3, 4], times]
    # far from the edge the picture is red's; across it the error function of the blur: Phi(d / sigma)
    place = torch.arange(64) - 31.5
    edge = -0.5 + torch.special.ndtr(-place / 2.0)
    assert_close(mixture, edge.expand_as(mixture), atol=0.02, rtol=0)
    x_t = torch.randn(1, 3, 64, 64)
    assert_close(denoise(x_t, 500), tasks.hybrid(model, both, (2.0,), 1.0)(x_t, 500))


def test_a_mixture_has_the_coarse_band_of_the_first_and_the_fine_band_of_the_last():
    stripes = (torch.arange(64) % 2 - 0.5).expand(1, 3, 64, 64)  # one pixel wide: fine
    x = mixed([stripes + 0.2, 0.7 * stripes - 0.3], 2.0)
    assert_close(x, 0.2 + 0.7 * stripes, atol=1e-3, rtol=0)
    assert mixed([3 * stripes + 0.5] * 2, 2.0).abs().max() == 1


def test_denoisers_without_variance(model):
    def fixed(x_t, t):
        return NoiseEstimate(x_t)

    x_t = torch.randn(1, 3, 64, 64)
    assert averaged(fixed, viewed(fixed, FLIP))(x_t, 1).nu is None
    assert blended([fixed, fixed], bands(2.0))(x_t, 1).nu is None
    assert guided(fixed, fixed, 3.0)(x_t, 1).nu is None


@pytest.mark.parametrize("prompt", ["", "  ", ["red", ""]])
def test_empty_prompts_are_refused(model, prompt):
    for draw in (
        lambda: tasks.prompted(model, prompt),
        lambda: tasks.visual_anagram(model, ["red", prompt]),
        lambda: tasks.hybrid(model, [prompt, "red"]),
    ):
        with pytest.raises(ValueError, match="prompt is empty"):
            draw()


def test_a_hybrid_is_the_blend_of_guided_estimates_from_fewer_calls(model):
    calls = []

    def counted(x_t, *rest):
        calls.append(len(x_t))
        return network(x_t, *rest)

    model.network = counted
    x_t, gamma = torch.randn(1, 3, 64, 64), 7.0
    denoise = tasks.hybrid(model, ["red", "blue", "red"], (4.0, 1.5), gamma)
    eps = denoise(x_t, 500).eps
    assert sum(calls) == 4  # three prompts and the empty one
    three = [tasks.prompted(model, p, gamma) for p in ("red", "blue", "red")]
    assert_close(eps, blended(three, bands(4.0, 1.5))(x_t, 500).eps)


def test_what_is_drawn_on_a_gpu_comes_back_to_the_cpu(monkeypatch):
    """With tensors that know their device but hold no values: mixing devices is an error."""
    monkeypatch.setattr(torch.Tensor, "all", lambda self: True)  # checks need values
    image, mask = torch.zeros(3, 64, 64), torch.ones(1, 64, 64)
    with FakeTensorMode(allow_non_fake_inputs=True):
        gpu = TextToImage(network, lambda p: (encode("red")[0].cuda(),), SCHEDULE, "cuda")
        red = tasks.prompted(gpu, "red")
        drawn = [
            tasks.generate(gpu, red, [0]),
            tasks.generate(gpu, tasks.hybrid(gpu, ["red", "blue"]), [0]),
            tasks.generate(gpu, tasks.visual_anagram(gpu, ["red", "blue"]), [0]),
            tasks.sdedit(gpu, red, image, 20, [0]),
            tasks.inpaint(gpu, red, image, mask, [0], times=2),
            tasks.hybrid_image(gpu, ["red", "blue"], [0], i_start=30),
        ]
        assert red(torch.zeros(1, 3, 64, 64, device="cuda"), 9).eps.is_cuda
    assert {x.device.type for x in drawn} == {"cpu"}


@pytest.mark.parametrize("gamma", [float("nan"), float("inf"), -float("inf")])
def test_guidance_without_a_finite_gamma_is_refused(model, gamma):
    for draw in (
        lambda: tasks.prompted(model, "red", gamma),
        lambda: tasks.visual_anagram(model, ["red", "blue"], gamma=gamma),
        lambda: tasks.hybrid(model, ["red", "blue"], gamma=gamma),
    ):
        with pytest.raises(ValueError, match="gamma must be a finite number"):
            draw()


@pytest.mark.parametrize("prompt", [None, 5, ["red", None], []])
def test_prompts_that_are_no_text_are_refused(model, prompt):
    with pytest.raises(ValueError, match="give a text|a prompt is a text"):
        tasks.prompted(model, prompt)


@pytest.mark.parametrize("i_start", [-1, 33, 100, 2.5, 2.0, None])
def test_starts_that_are_none_of_the_path_are_refused(model, image, i_start):
    with pytest.raises(ValueError, match="i_start must be a whole number in 0 .. 32"):
        tasks.sdedit(model, model.denoiser("red"), image, i_start, [0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(1, 64, 64), "image must be"),
        (torch.zeros(3, 32, 32), "image must be"),
        (torch.zeros(1, 1, 3, 64, 64), "image must be"),
        (torch.full((3, 64, 64), 255.0), r"in \[-1, 1\]"),
        (torch.full((3, 64, 64), torch.nan), r"in \[-1, 1\]"),
        (torch.zeros(3, 64, 64, dtype=torch.uint8), "image must be floats; load it"),
        (Image.new("RGB", (64, 64)), "image must be floats; load it"),
    ],
)
def test_wrong_images_are_refused(model, bad, message):
    red = model.denoiser("red")
    with pytest.raises(ValueError, match=message):
        tasks.sdedit(model, red, bad, 3, [0])
    with pytest.raises(ValueError, match=message):
        tasks.inpaint(model, red, bad, hole(0, 0, 9, 9), [0])


@pytest.mark.parametrize(
    "mask",
    [
        torch.full((1, 64, 64), 0.5),
        torch.ones(1, 32, 32),
        torch.ones(64, 64),
        torch.ones(1, 1, 1, 64, 64),
    ],
)
def test_wrong_masks_are_refused(model, image, mask):
    with pytest.raises(ValueError, match="mask must be"):
        tasks.inpaint(model, model.denoiser("red"), image, mask, [0])


@pytest.mark.parametrize("count", [1, 3])
def test_a_mask_for_each_image_is_needed(model, image, count):
    masks = hole(0, 0, 9, 9).expand(count, 1, 64, 64)
    with pytest.raises(ValueError, match=f"{count} masks for 2 images"):
        tasks.inpaint(model, model.denoiser("red"), image, masks, [0, 1])


def test_what_makes_no_path_is_refused(model, image):
    red, mask = model.denoiser("red"), hole(0, 0, 9, 9)
    for times in (0, 1.5, 2.0, None):
        with pytest.raises(
            ValueError, match=f"times must be a whole number from 1 on, got {times}"
        ):
            tasks.inpaint(model, red, image, mask, [0], times=times)
    for timesteps in ([990], [0, 990], [990, 990], [0, 500, 990], [990, 0, 500]):
        with pytest.raises(ValueError, match="a start and an end below it"):
            tasks.generate(model, red, [0], timesteps)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.9, "1"])
def test_seeds_out_of_the_range_are_refused_by_each_task(model, image, seed):
    red, mask = model.denoiser("red"), hole(0, 0, 9, 9)
    for draw in (
        lambda: tasks.generate(model, red, [seed]),
        lambda: tasks.sdedit(model, red, image, 5, [seed]),
        lambda: tasks.inpaint(model, red, image, mask, [seed]),
    ):
        with pytest.raises(ValueError, match="a seed is a whole number in 0 .. "):
            draw()


@pytest.mark.parametrize("seeds", [[], 5, None])
def test_seeds_are_a_list(model, image, seeds):
    red, mask = model.denoiser("red"), hole(0, 0, 9, 9)
    for draw in (
        lambda: tasks.generate(model, red, seeds),
        lambda: tasks.sdedit(model, red, image[None], 5, seeds),
        lambda: tasks.inpaint(model, red, image[None], mask, seeds),
    ):
        with pytest.raises(ValueError, match="a list of at least one seed"):
            draw()


def test_a_prompt_for_each_seed_is_needed(model):
    with pytest.raises(ValueError, match="2 images, got 3"):
        tasks.generate(model, model.denoiser(["red", "blue"]), [0, 1, 2])


def test_without_a_second_stage_pictures_stay_as_they_are(model):
    x = torch.zeros(1, 3, 64, 64)
    assert tasks.enlarged(model, x, "red", [0]) is x
