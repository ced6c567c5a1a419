"""How good the shipped networks of Part B are: python -m benchmarks.mnist_quality b1|b2|b3.

`b2` draws with fewer and fewer steps, with the two variances that the DDPM paper names and one between
them, without fresh noise (DDIM), from the noised mean digit, after epoch 5, and with BatchNorm in train
mode; `b3` draws with weaker and stronger guidance.
Both also say how large the loss is, on digits that the training saw and on others, at early and at
late timesteps.

Writes benchmarks/results/mnist_NAME.json, with the SHA-256 of the weights it measured; the
chapters read it. Sizes can be made smaller for a quick look.
"""

import argparse
import copy
import json
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from benchmarks.denoising import ddim, loop
from diffusion_utils.denoisers import NoiseEstimate, guided
from diffusion_utils.metrics import accuracy, diversity, frechet, in_batches, jackknife, psnr, ssim
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.judge import WEIGHTS, load_classifier
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as SCHEDULE
from diffusion_utils.mnist.objectives import noise_objective
from diffusion_utils.mnist.release import (
    MODELS,
    released,
    steps_of,
)
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIGMAS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
BLURS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
STEPS = (300, 100, 50, 25, 10)
STEPS_BETA = (300, 50, 10)
STEPS_DDIM = (50, 25, 10)
STEPS_MEAN = (10,)  # from the mean digit
TIMES = (0, 2, 5, 10, 20, 40, 75, 110, 150, 200, 250, 299)
GAMMAS = (0, 0.5, 1, 1.25, 1.5, 2, 3, 5)


def spread(values):
    return {"mean": values.mean().item(), "std": values.std().item()}


def denoising(network, images):
    """PSNR and SSIM at each sigma: the network, the noisy input, and the best Gaussian blur."""
    eps = unit_noise(images.shape[1:], generators(range(len(images))))
    for sigma in tqdm(SIGMAS, desc="sigma"):
        noisy = images + sigma * eps
        blurred = {width: low_pass(width, 19)(noisy) for width in BLURS}
        blurred[0.0] = noisy
        best = max(blurred, key=lambda width: psnr(blurred[width], images).mean())
        estimates = {
            "network": in_batches(lambda x: network(x.to(DEVICE)).cpu(), noisy, 100),
            "blur": blurred[best],
            "noisy": noisy,
        }
        yield {"sigma": sigma, "blur_width": best} | {
            name: {"psnr": spread(psnr(x, images).clamp(max=100)), "ssim": spread(ssim(x, images))}
            for name, x in estimates.items()
        }


def samples(denoise, count, steps, schedule=SCHEDULE, digits=None):
    """`count` samples in [0, 1], seeds 0 .. count-1, a hundred at a time, from noise or noised digits."""
    timesteps, drawn = spaced_timesteps(schedule.T, steps), []
    for x, rng in beginnings(count, schedule, digits):
        drawn.append(last(trajectory(denoise, x, timesteps, schedule, generators=rng)))
    return torch.cat(drawn).clamp(0, 1)


def beginnings(count, schedule, digits):
    """The image at T-1 and the generators that go on from there, a hundred seeds at a time."""
    for seeds in torch.arange(count).split(100):
        rng = generators(seeds.tolist())
        x = unit_noise((1, 28, 28), rng)
        yield x if digits is None else schedule.forward(digits[seeds], schedule.T - 1, x), rng


def ddim_samples(denoise, count, steps, digits=None):
    """As `samples`, but by DDIM, without fresh noise."""
    timesteps, step = spaced_timesteps(SCHEDULE.T, steps), ddim(SCHEDULE)
    starts = beginnings(count, SCHEDULE, digits)
    drawn = [loop(denoise, x, timesteps, SCHEDULE, step) for x, _ in starts]
    return torch.cat(drawn).clamp(0, 1)


def training_digits(count):
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0))
    return to_unit(mnist(train=True)[0][order[:count]])


def spread_of_pixels(images):
    """The standard deviation of a pixel over the images, the mean over pixels."""
    return images.std(0).mean().item()


def mixed_test_digits():
    """All test digits, mixed, since the file's first half is the easier one: images, labels."""
    images, labels = mnist(train=False)
    mixed = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return to_unit(images[mixed]), labels[mixed]


def features_of_real():
    """The judge's features of 5,000 test digits, and of the 5,000 others."""
    return features_of(mixed_test_digits()[0]).split(5000)


def with_beta(denoise):
    """The same estimate, but the fresh noise of a step has the larger variance: (N.5) at nu = 1."""

    def wider(x_t, t):
        return NoiseEstimate(denoise(x_t, t).eps, torch.ones_like(x_t))

    return wider


def with_total_variance(denoise, errors, steps):
    """The same estimate, but a step's fresh noise has the variance beta tilde + c^2 Var[x_0 | x_t].

    The mean squared error of the digit at t stands in for Var[x_0 | x_t]. Bao et al. 2022.
    """
    times, squares = zip(*((row["t"], row["digit"]) for row in errors), strict=True)
    nus = {0: -1.0}
    for t, t_prev in pairwise(spaced_timesteps(SCHEDULE.T, steps)[:-1]):
        x0_part, x_part, z_part = torch.eye(3)  # a step is linear: one factor at a time
        c, _, z = SCHEDULE.step(x_part, x0_part, t, t_prev, z_part)
        lower, beta = z**2, 1 - SCHEDULE.at(t) / SCHEDULE.at(t_prev)
        variance = lower + c**2 * np.interp(t, times, squares)
        nus[t] = (2 * (variance / lower).log() / (beta / lower).log() - 1).item()  # (N.5)

    def wider(x_t, t):
        return NoiseEstimate(denoise(x_t, t).eps, torch.full_like(x_t, nus[t]))

    return wider


def spread_in_few_steps(network, count, steps, errors):
    """The spread with beta tilde and with the total variance, same seeds; the error is a jackknife's."""
    plain = unet_denoiser(network, SCHEDULE.T)
    ways = plain, with_total_variance(plain, errors, steps)
    tilde, total = (samples(denoise, count, steps) for denoise in ways)
    which = torch.arange(count) % 10
    parts = [
        spread_of_pixels(total[which != i]) - spread_of_pixels(tilde[which != i]) for i in range(10)
    ]
    return {
        "images": count,
        "steps": steps,
        "beta tilde": spread_of_pixels(tilde),
        "total variance": spread_of_pixels(total),
        "standard_error": jackknife(parts),
    }


def strided(networks, count):
    """Distance from real digits and spread, for each way to draw and number of steps; then of real digits."""
    early, late = networks[min(networks)], networks[max(networks)]
    plain = unet_denoiser(late, SCHEDULE.T)
    mean = to_unit(mnist(train=True)[0]).mean(0).expand(count, 1, 28, 28)
    ways = {
        "beta tilde": (samples, plain, STEPS),
        "beta": (samples, with_beta(plain), STEPS_BETA),
        "DDIM": (ddim_samples, plain, STEPS_DDIM),
        "beta tilde, mean digit": (partial(samples, digits=mean), plain, STEPS_MEAN),
        "DDIM, mean digit": (partial(ddim_samples, digits=mean), plain, STEPS_MEAN),
        "epoch 5": (samples, unet_denoiser(early, SCHEDULE.T), (50,)),
        "BatchNorm in train mode": (samples, in_train_mode(late), (50,)),
    }
    real, others = features_of_real()
    for way, (draw, denoise, numbers) in ways.items():
        for steps in tqdm(numbers, desc=way):
            fake = draw(denoise, count, steps)
            row = {"way": way, "steps": steps, "spread": spread_of_pixels(fake)}
            yield row | by_tenths(real, features_of(fake))
    row = {"way": "real", "spread": spread_of_pixels(mixed_test_digits()[0])}
    yield row | by_tenths(real, others[:count])


@torch.no_grad()
def losses(network, digits):
    """The loss (B2.1) of each digit, at the same timesteps and with the same noise for each set."""
    (x_t, times), eps = noise_objective(digits, torch.Generator().manual_seed(0))
    parts = zip(x_t.split(100), times.split(100), strict=True)
    guess = torch.cat([network(x.to(DEVICE), t.to(DEVICE)).cpu() for x, t in parts])
    return (guess - eps).square().mean((1, 2, 3))


def seen_and_unseen(network, count):
    """The mean loss on training digits and on as many test digits."""
    seen = losses(network, training_digits(count))
    unseen = losses(network, mixed_test_digits()[0][:count])
    return {
        "digits": count,
        "training": seen.mean().item(),
        "test": unseen.mean().item(),
        "standard_error": (unseen - seen).std().item() / count**0.5,
    }


@torch.no_grad()
def errors_at(network, t, digits, labels=None):
    """The squared error of each digit's guessed noise, and of the digit that it stands for, at timestep t."""
    found = []
    for which in torch.arange(len(digits)).split(100):
        given = None if labels is None else labels[which]
        eps = unit_noise((1, 28, 28), generators(which.tolist()))
        x_t = SCHEDULE.forward(digits[which], t, eps)
        guess = unet_denoiser(network, SCHEDULE.T, given)(x_t, t).eps
        pairs = (guess, eps), (SCHEDULE.predict_x0(x_t, t, guess), digits[which])
        found.append(torch.stack([(a - b).square().mean((1, 2, 3)) for a, b in pairs]))
    return torch.cat(found, 1)


def errors_by_time(network, count):
    digits = mixed_test_digits()[0][:count]
    for t in tqdm(TIMES, desc="t"):
        noise, digit = errors_at(network, t, digits).mean(1).tolist()
        yield {"t": t, "noise": noise, "digit": digit}


def with_and_without_class(network, count):
    """The error of the guessed noise when the class is told and when it is not, at four timesteps."""
    digits, labels = (part[:count] for part in mixed_test_digits())
    for t in (10, 50, 100, 200):
        told, untold = (errors_at(network, t, digits, c)[0] for c in (labels, None))
        error = (untold - told).std().item() / count**0.5
        yield {
            "t": t,
            "with": told.mean().item(),
            "without": untold.mean().item(),
            "standard_error": error,
        }


def features_of(images):
    return in_batches(load_classifier().features, images)


def by_tenths(real, fake):
    """Frechet distance of two sets of features, and ten that each leave a tenth of both sets out."""

    def without(features, i):
        tenths = list(features.chunk(10))
        return torch.cat(tenths[:i] + tenths[i + 1 :])

    parts = [frechet(without(real, i), without(fake, i)) for i in range(10)]
    return {"fid": frechet(real, fake), "without_a_tenth": parts}


def in_train_mode(network):
    """A denoiser whose BatchNorm uses the statistics of the batch at hand, which is a mistake."""
    wrong = copy.deepcopy(network).train()

    def denoise(x_t, t):
        times = torch.full((len(x_t),), t / SCHEDULE.T, device=DEVICE)
        return NoiseEstimate(wrong(x_t.to(DEVICE), times).to(x_t.device))

    return denoise


def guidance(network, count, steps):
    """Accuracy, diversity and distance from real digits of samples for each gamma; then of real digits."""
    labels = torch.arange(count) % 10
    real = features_of_real()[0]
    for gamma in tqdm(GAMMAS, desc="gamma"):
        conditional = unet_denoiser(network, SCHEDULE.T, labels[:100])  # alike in each hundred
        denoise = guided(conditional, unet_denoiser(network, SCHEDULE.T), gamma)
        fake = samples(denoise, count, steps)
        yield {"gamma": gamma} | row_of_class(fake, labels) | by_tenths(real, features_of(fake))
    others = as_many_of_each(count)
    yield row_of_class(others, labels) | by_tenths(real, features_of(others))


def as_many_of_each(count):
    """`count` test digits of the second half, as many of each class, in turn."""
    images, labels = (part[5000:] for part in mixed_test_digits())
    each = [images[labels == digit][: count // 10] for digit in range(10)]
    return torch.stack(each, 1).flatten(0, 1)


def row_of_class(images, labels):
    share, error = accuracy(load_classifier(), images, labels)
    different = diversity(load_classifier(), images, labels)
    return {"accuracy": share, "standard_error": error, "diversity": different}


def weights_of(name):
    """The files of weights that a measurement is of, the judge's among them."""
    files = [*steps_of(MODELS / name).values()]
    return {"b1": files[-1:], "b2": [*files, WEIGHTS], "b3": [files[-1], WEIGHTS]}[name]


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=["b1", "b2", "b3"])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument(
        "--steps", type=int, default=50, help="sampling steps, where they are one number"
    )
    return parser.parse_args()


def main():
    args = parsed()
    keep_freed_memory()
    networks = released(args.name, device=DEVICE)[0]
    epoch, network = list(networks.items())[-1]
    count, steps = args.images, args.steps

    def many_steps():
        errors = [*errors_by_time(network, count)]
        return {
            "rows": [*strided(networks, count)],
            "loss": seen_and_unseen(network, 10 * count),
            "errors": errors,
            "total_variance": spread_in_few_steps(network, count // 5, 10, errors),
        }

    measure = {
        "b1": lambda: {"rows": [*denoising(network, to_unit(mnist(train=False)[0][:count]))]},
        "b2": many_steps,
        "b3": lambda: {
            "steps": steps,
            "rows": [*guidance(network, count, steps)],
            "class": [*with_and_without_class(network, count)],
        },
    }[args.name]
    result = {"epoch": epoch, "images": count} | measure()
    result["sha256"] = digests(*weights_of(args.name))
    store(RESULTS / f"mnist_{args.name}.json", result)
    print(json.dumps(result["rows"], indent=1))


if __name__ == "__main__":
    main()
