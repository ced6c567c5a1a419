"""An optimiser that learns more from each step: Muon for matrices and convolutions, AdamW for the rest."""

import torch

from diffusion_utils.training.runtime import best_precision

AT_THE_BORDER = {"time", "conv_in", "out"}  # the layers that AdamW keeps
NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315
MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """Muon for a network's inner weights of two and more dimensions, AdamW for all others.

    A convolution counts as the matrix of its flattened filters. The step is scaled to the size of
    AdamW's, so that both share a learning rate.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the scale of Liu et al.
    2025, https://arxiv.org/abs/2502.16982, eq. 4.
    """

    def __init__(self, network, lr, weight_decay=0.01):
        matrices, others = [], []
        for name, p in network.named_parameters():
            inner = p.ndim >= 2 and not AT_THE_BORDER & set(name.split("."))
            if p.requires_grad:
                (matrices if inner else others).append(p)
        groups = [{"params": matrices}, {"params": others}]
        super().__init__(groups, lr, betas=(0.9, 0.99), weight_decay=weight_decay)
        # a processor that only imitates bf16 needs thirty times as long
        self.inner = torch.bfloat16 if best_precision() == "bf16" else torch.float32

    @torch.no_grad()
    def step(self, closure=None):
        group = self.param_groups[0]
        for p in group["params"]:
            if p.grad is None:
                continue
            if not self.state[p]:
                # AdamW wants a count of steps in every state that it loads
                self.state[p]["step"] = torch.tensor(0.0)
                self.state[p]["momentum"] = torch.zeros_like(p)
            mean = self.state[p]["momentum"].lerp_(p.grad, 1 - MOMENTUM)
            direction = orthogonalised(p.grad.lerp(mean, MOMENTUM).flatten(1), self.inner)
            size = 0.2 * max(direction.shape) ** 0.5
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.sub_(direction.view_as(p), alpha=group["lr"] * size)
            p.grad = None  # AdamW passes over what has no gradient
        return super().step(closure)


def orthogonalised(matrix, inner=torch.float32):
    """The matrix with its singular values brought near 1, (m, n) -> (m, n): 5 steps of Newton-Schulz.

    inner: the dtype that they are computed in.
    """
    a, b, c = NEWTON_SCHULZ
    x = (matrix / matrix.norm().clamp(min=1e-7)).to(inner)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix)
