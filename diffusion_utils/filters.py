"""What denoises without a network: two filters of chapter 1.2, and the exact mean of chapter 1.3.

Each is given a picture with noise of variance N on it. Of x_t this is x_t / sqrt(alpha_bar_t), with
N = (1 - alpha_bar_t) / alpha_bar_t.
"""

import torch
from skimage.restoration import denoise_nl_means


def non_local_means(x, h, N):
    """Average pixels whose surroundings look alike (Buades et al. 2005).

    x: (B, 3, H, W) -> same. h: the larger, the more an unlike surrounding weighs, in units of x.
    The library's fast way compares squares of 6x6 pixels where the size is 7.
    """
    options = {"h": h, "sigma": N**0.5, "patch_size": 7, "patch_distance": 11}
    pictures = x.permute(0, 2, 3, 1).numpy()
    done = [denoise_nl_means(picture, channel_axis=-1, **options) for picture in pictures]
    return torch.stack([torch.from_numpy(picture) for picture in done]).permute(0, 3, 1, 2)


def best_linear(pictures):
    """The linear filter with the smallest expected squared error on pictures (K, 3, H, W).

    -> a function of x (B, 3, H, W) and N. Source: chapter 1.2, "Filters that know other pictures".
    """
    mean = pictures.mean(0)
    X = (pictures - mean).flatten(1)
    products, one = X @ X.T, torch.eye(len(X))

    def denoise(x, N):
        projected = X @ (x - mean).flatten(1).T
        weights = torch.linalg.solve(products + len(X) * N * one, projected)
        return mean + (weights.T @ X).view_as(x)

    return denoise


def posterior(x, N, pictures):
    """How probable each of pictures (K, ...) is, given noisy ones x (B, ...), by Bayes' rule -> (B, K)."""
    flat = pictures.flatten(1)
    # minus half the squared distance; the square of x is left out,
    # since it is the same for all pictures
    closeness = x.flatten(1) @ flat.T - flat.square().sum(1) / 2
    return (closeness / N).softmax(1)


def exact_mean(x, N, pictures):
    """The mean of pictures (K, ...), each weighted by `posterior`, given x (B, ...) -> (B, ...)."""
    return (posterior(x, N, pictures) @ pictures.flatten(1)).view_as(x)
