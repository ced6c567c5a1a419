"""How good the shipped networks of Part B are: python -m benchmarks.mnist_quality b1|b2|b3.

`b2 --judge` asks the digit classifier how sure it is of B2's samples, drawn in four ways instead;
`b2 --limits` compares two schedules, the last weights and their average, each with the statistics of
BatchNorm that were noted in training and with its own, and starts that are no pure noise. It was also
run with all 300 steps before it knew of own statistics: benchmarks/results/mnist_b2_limits_300.json.
`b3 --near` looks at guidance scales between 1 and 3 more closely.

Writes benchmarks/results/mnist_NAME.json, with the SHA-256 of the weights it measured; the
chapters read it. Sizes can be made smaller for a quick look.
"""

import argparse
import copy
import json

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.denoisers import NoiseEstimate, guided
from diffusion_utils.metrics import (
    accuracy,
    confidence,
    diversity,
    fid,
    frechet,
    in_batches,
    psnr,
    ssim,
)
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.judge import WEIGHTS, load_classifier
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as SCHEDULE
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import (
    MODELS,
    released,
    released_average,
    steps_of,
    with_own_statistics,
)
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
from diffusion_utils.sampling import generators, last, sample, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIGMAS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
BLURS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
STEPS = (300, 100, 50, 25, 10)
GAMMAS = (0, 0.5, 1, 2, 3, 5, 8)
NEAR = (1, 1.25, 1.5, 1.75, 2, 3)


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
    for seeds in torch.arange(count).split(100):
        noise = generators(seeds.tolist())
        x = unit_noise((1, 28, 28), noise)
        if digits is not None:
            x = schedule.forward(digits[seeds], schedule.T - 1, x)
        drawn.append(last(trajectory(denoise, x, timesteps, schedule, generators=noise)))
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


def real_sets(count):
    """Ten disjoint sets of `count` test digits."""
    return mixed_test_digits()[0][: 10 * count].split(count)


def distances(one, other):
    """FID of each pair of sets: mean and standard deviation over the pairs."""
    classifier = load_classifier()
    found = [fid(classifier, a, b) for a, b in zip(one, other, strict=True)]
    return spread(torch.tensor(found))


def strided(network, count):
    """FID of samples against five sets of as many test digits, for each number of steps."""
    for steps in tqdm(STEPS, desc="steps"):
        fake = samples(unet_denoiser(network, SCHEDULE.T), count, steps)
        row = {"steps": steps, "fid": distances(real_sets(count)[:5], 5 * [fake])}
        yield row | {"spread": spread_of_pixels(fake)}


def ways_of(name, count):
    """Networks that a schedule's training gave, each with the digits to noise for a start, or None."""
    recipe, average = RECIPES[name], released_average(name).to(DEVICE)
    weights = list(released(name, device=DEVICE)[0].values())[-1]
    own = with_own_statistics(average, recipe)
    ways = {
        "last": (weights, None),
        "last, own statistics": (with_own_statistics(weights, recipe), None),
        "average": (average, None),
        "own statistics": (own, None),
    }
    if name == "b2":
        digits = training_digits(60_000)
        mean = digits.mean(0).expand(count, -1, -1, -1)
        ways["noised digits"] = weights, digits[:count]
        ways["noised mean"] = weights, mean
        ways["own statistics, noised mean"] = own, mean
    return ways


def limits(count, steps):
    """Both schedules: the last weights and their average, each with copied and with own statistics.

    All draw from the same noise; with B2's schedule some also from noised digits, or from the mean
    digit noised. Last comes a row of real digits.
    """
    sets = real_sets(1000)
    real, others = features_of(torch.cat(sets[:5])), features_of(torch.cat(sets[5:]))
    for name in ("b2", "b2_to_noise"):
        schedule = RECIPES[name].schedule
        for way, (network, digits) in ways_of(name, count).items():
            fake = samples(unet_denoiser(network, schedule.T), count, steps, schedule, digits)
            yield row_of_limits(name, way, fake, by_tenths(real, features_of(fake)))
    yield row_of_limits("real", "", torch.cat(sets), by_tenths(real, others[:count]))


def row_of_limits(recipe, way, images, distance):
    return {"recipe": recipe, "way": way, "spread": spread_of_pixels(images)} | distance


def features_of(images):
    return in_batches(load_classifier().features, images)


def by_tenths(real, fake):
    """Frechet distance of two sets of features, and ten that each leave a tenth of both sets out."""

    def without(features, i):
        tenths = list(features.chunk(10))
        return torch.cat(tenths[:i] + tenths[i + 1 :])

    parts = [frechet(without(real, i), without(fake, i)) for i in range(10)]
    return {"fid": frechet(real, fake), "without_a_tenth": parts}


def floor(count):
    """The same for five of the sets of test digits against five others."""
    sets = real_sets(count)
    return {"fid": distances(sets[:5], sets[5:]), "spread": spread_of_pixels(torch.cat(sets))}


def in_train_mode(network):
    """A denoiser whose BatchNorm uses the statistics of the batch at hand, which is a mistake."""
    wrong = copy.deepcopy(network).train()

    def denoise(x_t, t):
        times = torch.full((len(x_t),), t / SCHEDULE.T, device=DEVICE)
        return NoiseEstimate(wrong(x_t.to(DEVICE), times).to(x_t.device))

    return denoise


def noised_digits(count):
    """`count` training digits at the last timestep: the start that the network was trained for."""
    eps = unit_noise((1, 28, 28), generators(range(count)))
    return SCHEDULE.forward(training_digits(count), SCHEDULE.T - 1, eps)


def judged(networks, count, steps):
    """How sure the classifier is of samples of each network, in both modes, and from both starts."""
    classifier, timesteps = load_classifier(), spaced_timesteps(SCHEDULE.T, steps)
    early, late = networks[min(networks)], networks[max(networks)]
    noise = unit_noise((1, 28, 28), generators(range(count)))
    ways = {
        f"epoch {min(networks):g}": (unet_denoiser(early, SCHEDULE.T), noise),
        f"epoch {max(networks):g}": (unet_denoiser(late, SCHEDULE.T), noise),
        "BatchNorm in train mode": (in_train_mode(late), noise),
        "noised digits": (unet_denoiser(late, SCHEDULE.T), noised_digits(count)),
    }
    for name, (denoise, start) in tqdm(ways.items()):
        parts = zip(start.split(100), torch.arange(count).split(100), strict=True)
        fake = torch.cat([
            last(trajectory(denoise, x, timesteps, SCHEDULE, generators=generators((seeds + count).tolist())))
            for x, seeds in parts
        ]).clamp(0, 1)  # fmt: skip
        yield row_of_judge(name, classifier, fake)
    yield row_of_judge("real digits", classifier, real_sets(count)[9])


def row_of_judge(name, classifier, images):
    sure = confidence(classifier, images)
    distance = distances(real_sets(len(images))[:5], 5 * [images])
    row = {"name": name, "confidence": sure.mean().item(), "fid": distance}
    return row | {
        "standard_error": sure.std().item() / len(sure) ** 0.5,
        "spread": spread_of_pixels(images),
    }


def guidance(network, count, steps, gammas, distance):
    """Accuracy, diversity and a distance from real digits of class-conditional samples for each gamma."""
    classifier, labels = load_classifier(), torch.arange(count) % 10
    timesteps = spaced_timesteps(SCHEDULE.T, steps)
    for gamma in tqdm(gammas, desc="gamma"):
        fake = torch.cat([
            sample(
                guided(unet_denoiser(network, SCHEDULE.T, digits), unet_denoiser(network, SCHEDULE.T), gamma),
                (1, 28, 28), timesteps, SCHEDULE, seeds=seeds.tolist(),
            )
            for digits, seeds in zip(labels.split(100), torch.arange(count).split(100), strict=True)
        ]).clamp(0, 1)  # fmt: skip
        share, error = accuracy(classifier, fake, labels)
        row = {"gamma": gamma, "accuracy": share, "standard_error": error}
        yield row | {"diversity": diversity(classifier, fake, labels)} | distance(fake)


def to_sets(fake):
    """FID of samples against five sets of as many test digits."""
    return {"fid": distances(real_sets(len(fake))[:5], 5 * [fake])}


def near(network, count, steps):
    """Gammas between 1 and 3, and other test digits, as many of each class, against 5,000 test digits."""
    images, labels = mixed_test_digits()
    real = features_of(images[:5000])
    each = [images[5000:][labels[5000:] == digit][: count // 10] for digit in range(10)]
    others = features_of(torch.stack(each, 1).flatten(0, 1))
    yield from guidance(network, count, steps, NEAR, lambda x: by_tenths(real, features_of(x)))
    yield real_digits(count) | by_tenths(real, others)


def real_digits(count):
    """The classifier's accuracy on `count` test digits, and their diversity."""
    images, labels = mnist(train=False)
    images, labels = to_unit(images[:count]), labels[:count]
    share, error = accuracy(load_classifier(), images, labels)
    return {
        "accuracy": share,
        "standard_error": error,
        "diversity": diversity(load_classifier(), images, labels),
    }


def weights_of(kind):
    """The files of weights that a measurement is of, the judge's among them."""
    released = {
        name: [*steps_of(MODELS / name).values()] for name in ("b1", "b2", "b2_to_noise", "b3")
    }
    averages = [MODELS / name / "average.safetensors" for name in ("b2", "b2_to_noise")]
    return {
        "b1": [released["b1"][-1]],
        "b2": [released["b2"][-1], WEIGHTS],
        "b2_judge": [*released["b2"], WEIGHTS],
        "b2_limits": [released["b2"][-1], released["b2_to_noise"][-1], *averages, WEIGHTS],
        "b3": [released["b3"][-1], WEIGHTS],
        "b3_near": [released["b3"][-1], WEIGHTS],
    }[kind]


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=["b1", "b2", "b3"])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument(
        "--steps", type=int, default=50, help="sampling steps, where they are one number"
    )
    parser.add_argument("--judge", action="store_true", help="of b2: how sure the classifier is")
    parser.add_argument("--limits", action="store_true", help="of b2: average and schedule")
    parser.add_argument("--near", action="store_true", help="of b3: gammas between 1 and 3")
    args = parser.parse_args()
    args.kind = f"{args.name}{'_judge' * args.judge}{'_limits' * args.limits}{'_near' * args.near}"
    if args.kind not in ("b1", "b2", "b2_judge", "b2_limits", "b3", "b3_near"):
        parser.error("--judge and --limits are of b2, one at a time, and --near is of b3")
    return args


def main():
    args = parsed()
    keep_freed_memory()
    networks = released(args.name, device=DEVICE)[0]
    epoch, network = list(networks.items())[-1]
    count, steps = args.images, args.steps
    measure = {
        "b1": lambda: {"rows": [*denoising(network, to_unit(mnist(train=False)[0][:count]))]},
        "b2": lambda: {"rows": [*strided(network, count)], "real": floor(count)},
        "b2_judge": lambda: {"steps": steps, "rows": [*judged(networks, count, steps)]},
        "b2_limits": lambda: {"steps": steps, "rows": [*limits(count, steps)]},
        "b3": lambda: {
            "steps": steps,
            "rows": [*guidance(network, count, steps, GAMMAS, to_sets)],
            "real": real_digits(count),
        },
        "b3_near": lambda: {"steps": steps, "rows": [*near(network, count, steps)]},
    }[args.kind]
    result = {"epoch": epoch, "images": count} | measure()
    result["sha256"] = digests(*weights_of(args.kind))
    store(RESULTS / f"mnist_{args.kind}.json", result)
    print(json.dumps(result["rows"], indent=1))


if __name__ == "__main__":
    main()
