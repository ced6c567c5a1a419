import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from diffusion_utils.metrics import (
    DigitClassifier,
    accuracy,
    distances,
    diversity,
    frechet,
    psnr,
    share,
    ssim,
    wilson,
)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 1, 28, 28, generator=generator)
    return (image + 0.2 * torch.randn(image.shape, generator=generator)).clamp(0, 1), image


@pytest.mark.parametrize("peak", [1.0, 2.0])
def test_psnr_is_scikit_images_for_each_image(pair, peak):
    expected = [
        peak_signal_noise_ratio(b[0].numpy(), a[0].numpy(), data_range=peak)
        for a, b in zip(*pair, strict=True)
    ]
    assert psnr(*pair, peak=peak).tolist() == pytest.approx(expected, rel=1e-4)


def test_a_copy_that_moved_by_a_pixel_of_the_half_size_is_at_distance_0():
    g = torch.Generator().manual_seed(0)
    small = torch.rand(2, 3, 32, 32, generator=g) * 2 - 1
    small[..., [0, -1], :] = small[..., [0, -1]] = 1  # a white border
    pictures = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    found = distances(pictures, pictures.roll((2, -2), (-2, -1)))
    far = distances(pictures, pictures.roll((4, 0), (-2, -1)))
    assert found.shape == (2, 2)
    assert found.diagonal().tolist() == pytest.approx([0, 0], abs=1e-3)
    assert far.min() > 0.1
    expected = (small[0] - small[1]).square().mean().sqrt().item()
    assert 0.9 * expected < distances(pictures[:1], pictures[1:]).item() <= expected


def test_ssim_is_scikit_images_for_each_image(pair):
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 1.0,
    }
    expected = []
    for a, b in zip(*pair, strict=True):
        _, full = structural_similarity(a[0].numpy(), b[0].numpy(), full=True, **options)
        expected.append(full[5:-5, 5:-5].mean())  # the two treat borders differently
    torch.testing.assert_close(
        ssim(*pair), torch.tensor(expected, dtype=torch.float32), rtol=1e-2, atol=1e-2
    )


class FourPixels(nn.Module):
    num_features = 4

    def forward(self, x):
        return x[:, 0, 0, :4]


class Pixels(nn.Module):
    """A classifier whose features are four pixels, so that distances are known in closed form."""

    features = FourPixels()

    def forward(self, x):
        return self.features(x)


def test_the_frechet_distance_is_the_closed_form():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(600, 1, 28, 28, generator=generator)
    fake = 0.5 + 2 * torch.randn(700, 1, 28, 28, generator=generator)
    a, b = (x[:, 0, 0, :4].double().numpy() for x in (real, fake))
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    real, fake = map(FourPixels(), (real, fake))
    assert frechet(real, fake) == pytest.approx(expected, rel=1e-4)
    assert frechet(real, real) == pytest.approx(0, abs=1e-6)


def test_diversity_is_the_mean_distance_within_classes():
    images = torch.zeros(5, 1, 28, 28)
    images[1, 0, 0, :2] = torch.tensor([3.0, 4.0])  # 5 away from image 0, same class
    images[2:, 0, 0, 3] = torch.tensor([100.0, 101.0, 103.0])  # the other class is far away
    labels = torch.tensor([0, 0, 1, 1, 1])
    assert diversity(Pixels(), images, labels) == pytest.approx((5 + (1 + 2 + 3) / 3) / 2)


def test_accuracy_and_its_standard_error():
    images = torch.zeros(100, 1, 28, 28)
    images[:, 0, 0, 1] = 1
    labels = torch.tensor([1] * 80 + [0] * 20)
    p, error = accuracy(Pixels(), images, labels)
    assert p == pytest.approx(0.8)
    p = 82 / 104  # Agresti and Coull: two hits and two misses more
    assert error == pytest.approx((p * (1 - p) / 104) ** 0.5)


def test_the_error_of_a_share_is_close_to_the_textbook_s_and_never_zero():
    p, error = share(3000, 10_000)
    assert p == 0.3 and error == pytest.approx((0.3 * 0.7 / 10_000) ** 0.5, rel=1e-2)
    for hits in 0, 16:
        p, error = share(hits, 16)
        assert p == hits / 16 and 0.05 < error < 0.1


@pytest.mark.parametrize("hits, n", [(0, 40), (1, 3), (37, 64), (948, 1000), (1000, 1000)])
def test_the_interval_of_a_share_is_scipys(hits, n):
    expected = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits / n, n) == pytest.approx([expected.low, expected.high], abs=1e-5)


def test_classifier_shapes():
    model = DigitClassifier().eval()
    x = torch.rand(2, 1, 28, 28)
    assert model(x).shape == (2, 10)
    assert model.features(x).shape == (2, 128)
