"""Filters and the exact mean, beside plain loops and cases that can be worked out."""

import pytest
import torch
from torch.testing import assert_close

from diffusion_utils.filters import best_linear, exact_mean, non_local_means, posterior


@pytest.fixture
def pictures():
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_posterior_is_bayes_rule(pictures):
    x = pictures[:2] + 0.5 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    N = 30.0
    for noisy, weights in zip(x.double(), posterior(x, N, pictures), strict=True):
        likely = torch.stack(
            [(-(noisy - p).square().sum() / (2 * N)).exp() for p in pictures.double()]
        )
        assert_close(weights, (likely / likely.sum()).float())


def test_the_mean_of_one_pixel_is_a_tanh():
    """For black and white, see the fold of chapter 1.3."""
    x = torch.linspace(-2, 2, 9)[:, None]
    assert_close(exact_mean(x, 0.7, torch.tensor([[-1.0], [1.0]])), torch.tanh(x / 0.7))


def test_the_mean_goes_from_the_nearest_picture_to_the_mean_of_all(pictures):
    assert_close(exact_mean(pictures[2:3] + 0.01, 0.01, pictures), pictures[2:3])
    far = exact_mean(pictures[2:3], 1e6, pictures)
    assert_close(far, pictures.mean(0, keepdim=True), atol=1e-3, rtol=0)


def test_the_best_linear_filter_is_the_normal_equation_s(pictures):
    x, N = pictures[:2] + 0.1, 0.3
    flat, mean = pictures.flatten(1).double(), pictures.mean(0).flatten().double()
    C = (flat - mean).T @ (flat - mean) / len(flat)
    gain = C @ torch.linalg.inv(C + N * torch.eye(len(C)))
    expected = mean + (x.flatten(1).double() - mean) @ gain.T
    found = best_linear(pictures)(x, N)
    assert_close(found.flatten(1), expected.float(), atol=1e-5, rtol=1e-5)


def test_non_local_means_keeps_an_edge_and_averages_the_rest():
    edge = torch.ones(1, 3, 32, 32)
    edge[..., 16:] = -1
    noise = 0.1 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = non_local_means(edge + noise, 0.06, 0.01)
    assert found.shape == edge.shape
    assert (found - edge).square().mean() < 0.2 * noise.square().mean()
    assert (found - edge)[..., 15:17].abs().max() < 0.2
