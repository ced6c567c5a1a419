"""Numbers for claims: image fidelity, class accuracy, and distances between sets of images."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchmetrics.image.fid import FrechetInceptionDistance


def psnr(estimate, image, peak=1.0):
    """Peak signal-to-noise ratio of each image, in dB: (B, C, H, W) twice -> (B,).

    peak is the width of the range of values: 1 for [0, 1] images, 2 for [-1, 1].
    """
    return peak_signal_noise_ratio(
        estimate, image, data_range=float(peak), reduction="none", dim=(1, 2, 3)
    )


def ssim(estimate, image, peak=1.0):
    """Structural similarity of each image, at most 1: (B, C, H, W) twice -> (B,). Wang et al. 2004."""
    return structural_similarity_index_measure(
        estimate, image, data_range=float(peak), reduction="none"
    )


def distances(pictures, others):
    """How far pictures (B, 3, 64, 64) are from each of N others, at half size -> (B, N).

    The root mean square difference of values, at the best of nine shifts of up to a pixel.
    """
    pictures, others = (F.avg_pool2d(x, 2) for x in (pictures, others))
    white = F.pad(pictures, [1] * 4, value=1.0)
    places = product(range(3), repeat=2)
    shifted = [white[..., i:, j:][..., :32, :32] for i, j in places]
    vectors = others.flatten(1)
    each = [torch.cdist(x.flatten(1), vectors) for x in shifted]
    return torch.stack(each).amin(0) / vectors.shape[1] ** 0.5


class DigitClassifier(nn.Module):
    """An independent judge of digits: (B, 1, 28, 28) in [0, 1] -> (B, 10) logits."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *conv(1, 32), *conv(32, 32), nn.MaxPool2d(2),  # (B, 32, 14, 14)
            *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),  # (B, 64, 7, 7)
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, 128), nn.ReLU(),  # (B, 128)
        )  # fmt: skip
        self.logits = nn.Linear(128, 10)

    def forward(self, x):
        return self.logits(self.features(x))


def conv(channels_in, channels_out, stride=1):
    """3x3 convolution, BatchNorm, ReLU: (B, in, H, W) -> (B, out, H/stride, W/stride)."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()


@torch.no_grad()
def in_batches(function, images, size=500):
    """function(images), a batch at a time, so that memory stays small."""
    return torch.cat([function(batch) for batch in images.split(size)])


def share(hits, n):
    """hits of n as a share in [0, 1], with its standard error.

    The error is taken with two hits and two misses more: else it would be 0 where all or none hit.
    Source: Agresti & Coull 1998, https://doi.org/10.2307/2685469.
    """
    p = (hits + 2) / (n + 4)
    return hits / n, (p * (1 - p) / (n + 4)) ** 0.5


def wilson(p, n):
    """The 95 % interval (low, high) of a share p in [0, 1] of n trials; it stays within [0, 1].

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.

    >>> low, high = wilson(1.0, 1000)
    >>> print(f"1,000 of 1,000: {low:.1%} to {high:.1%}")
    1,000 of 1,000: 99.6% to 100.0%
    """
    z = 1.96  # a Gaussian is within this many standard deviations 95 % of the time
    middle, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def jackknife(values):
    """The standard deviation of a number, from its values without each part of the data in turn.

    The parts are equally large. Source: Tukey 1958, Ann. Math. Statist. 29, p. 614.

    >>> data = torch.arange(10.0)
    >>> without_one = [(data.sum() - x) / 9 for x in data]
    >>> f"{jackknife(without_one):.3f}, {data.std() / 10**0.5:.3f}"
    '0.957, 0.957'
    """
    values = torch.as_tensor(values)
    return ((len(values) - 1) * values.var(correction=0).item()) ** 0.5


def accuracy(classifier, images, labels):
    """The share of images (B, ...) whose label (B,) the classifier gives, with its standard error."""
    correct = in_batches(classifier, images).argmax(1) == labels
    return share(correct.sum().item(), len(labels))


def frechet(one, other):
    """Frechet distance of the Gaussians of two sets of features, (N, d) each. Heusel et al. 2017.

    It shrinks with the number of images: compare only sets of the same size, and with the
    distance between two sets of real images (the floor).
    """
    features = nn.Identity()
    features.num_features = one.shape[1]  # asked for by torchmetrics
    metric = FrechetInceptionDistance(features).eval()
    metric.update(one, real=True)
    metric.update(other, real=False)
    return metric.compute().item()


def diversity(classifier, images, labels):
    """Mean distance between two images (B, ...) of one class, labels (B,), on the classifier's features.

    Averaged over the classes; 0 means that every class has collapsed to one image.
    """
    features = in_batches(classifier.features, images)
    means = [torch.pdist(features[labels == c]).mean() for c in labels.unique()]
    return torch.stack(means).mean().item()


def seam(image, mask):
    """How visible the border of an inpainted hole is: mean jump across it over mean jump elsewhere.

    A jump is the absolute difference of two neighbouring pixels; 1 means the border does not stand
    out. image (B, C, H, W), mask (1, H, W) of 0 and 1 -> (B,).
    """
    across, elsewhere = [], []
    for dim in (-1, -2):
        jumps = image.diff(dim=dim).abs().mean(1)  # (B, H, W - 1) or (B, H - 1, W)
        border = (mask.diff(dim=dim) != 0)[0]
        across.append(jumps[:, border])
        elsewhere.append(jumps[:, ~border])
    return torch.cat(across, 1).mean(1) / torch.cat(elsewhere, 1).mean(1)
