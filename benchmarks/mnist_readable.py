"""Of how many of B2's samples is the judge sure? python -m benchmarks.mnist_readable

Draws digits with several numbers of steps, and with the repairs of "What limits B2", and counts those
to which the judge gives one digit with a probability of at least 0.9. Some of them are no clear digit to
a reader: the judge has learned digits alone. benchmarks/results/mnist_readable.json has the counts.
"""

import argparse

from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from benchmarks.mnist_limits import measured_files, ways
from benchmarks.mnist_quality import DEVICE, SCHEDULE, mixed_test_digits, samples
from diffusion_utils.metrics import in_batches
from diffusion_utils.mnist.judge import load_classifier
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.training.runtime import keep_freed_memory

SURE = 0.9
REPAIRS = {  # of "What limits B2": weights, statistics of BatchNorm, start
    "B2": ("last", "noted", "noise"),
    "+ weights": ("average", "noted", "noise"),
    "+ start": ("average", "noted", "mean digit"),
    "+ statistics": ("average", "anew", "mean digit"),
}


def sure(images):
    """Of how many images (B, 1, 28, 28) the judge is sure."""
    chances = in_batches(load_classifier(), images).softmax(1)
    return (chances.amax(1) >= SURE).sum().item()


def in_steps(count):
    """(name, samples) for B2's weights of epoch 20 and, in 50 steps, of epoch 5."""
    networks = released("b2", device=DEVICE)[0]
    for epoch, steps in ((max(networks), n) for n in (300, 50, 10)):
        yield f"{steps} steps", samples(unet_denoiser(networks[epoch], SCHEDULE.T), count, steps)
    yield "epoch 5", samples(unet_denoiser(networks[min(networks)], SCHEDULE.T), count, 50)


def repaired(count, steps):
    """(name, samples) for each repair and those before it."""
    of = dict(ways(RECIPES["b2"], count))
    for name, way in REPAIRS.items():
        network, start = of[way]
        yield name, samples(unet_denoiser(network, SCHEDULE.T), count, steps, digits=start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    count = parser.parse_args().images
    keep_freed_memory()
    found = {}
    for drawn in in_steps(count), repaired(count, steps=20):
        for name, images in tqdm(drawn):
            found[name] = sure(images)
    found["real"] = sure(mixed_test_digits()[0][:count])
    about = {"images": count, "probability": SURE, "sha256": digests(*measured_files())}
    store(RESULTS / "mnist_readable.json", about | {"sure": found})
    print(found)


if __name__ == "__main__":
    main()
