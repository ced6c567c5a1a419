"""Muon beside PyTorch's own, which takes matrices only."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from diffusion_utils.training.muon import Muon, orthogonalised

LR, STEPS = 0.02, 6


class Net(nn.Module):
    """Inner weights of two and four dimensions, vectors, and the layers at the border."""

    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(3, 4))
        self.conv_in = nn.Conv2d(3, 4, 3)
        self.wide, self.tall = nn.Linear(4, 12), nn.Linear(12, 5)
        self.inner = nn.Conv2d(4, 6, 3)
        self.norm = nn.GroupNorm(2, 6)
        self.out = nn.Sequential(nn.Conv2d(6, 3, 3))


MATRICES = "wide.weight", "tall.weight", "inner.weight"


def network():
    torch.manual_seed(0)
    return Net()


def train(parameters, *optimizers, steps=STEPS):
    """Steps with gradients that depend on the parameter's name and the step only."""
    g, parameters = torch.Generator().manual_seed(1), list(parameters)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=g)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def torch_muon(parameters):
    return torch.optim.Muon(
        parameters,
        LR,
        weight_decay=0.01,
        momentum=0.95,
        nesterov=True,
        adjust_lr_fn="match_rms_adamw",
    )


def test_matrices_are_those_of_pytorch_s_muon_and_the_rest_of_its_adamw():
    ours, theirs = network(), network()
    # theirs gets each convolution as the matrix of its flattened filters
    flat = {
        name: nn.Parameter(p.detach().flatten(1).clone())
        for name, p in theirs.named_parameters()
        if name in MATRICES
    }
    rest = {n: p for n, p in theirs.named_parameters() if n not in MATRICES}
    start = {name: p.detach().clone() for name, p in ours.named_parameters()}
    train(ours.parameters(), Muon(ours, LR))
    adamw = torch.optim.AdamW(rest.values(), LR, (0.9, 0.99), weight_decay=0.01)
    train(
        [flat.get(n, rest.get(n)) for n, _ in theirs.named_parameters()],
        torch_muon(flat.values()),
        adamw,
    )
    for name, now in ours.named_parameters():
        if name in rest:
            assert_close(now, rest[name])
        else:
            moved = (now - start[name]).flatten(1)
            expected = flat[name] - start[name].flatten(1)
            # theirs computes in bf16
            assert (moved - expected).norm() < 0.04 * expected.norm(), name


@pytest.mark.parametrize(("native", "dtype"), [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_matrices_are_multiplied_in_bf16_only_where_the_processor_has_it(
    monkeypatch, native, dtype
):
    monkeypatch.setattr("diffusion_utils.training.muon.best_precision", lambda: native)
    seen, plain = [], torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: seen.append(a.dtype) or plain(a, b)
    )
    ours = network()
    train(ours.parameters(), Muon(ours, LR), steps=1)
    assert set(seen) == {dtype}


def test_a_step_is_about_as_large_as_the_learning_rate():
    ours = network()
    start = {name: p.detach().clone() for name, p in ours.named_parameters()}
    train(ours.parameters(), Muon(ours, LR, weight_decay=0), steps=1)
    for name, now in ours.named_parameters():
        size = (now - start[name]).square().mean().sqrt().item() / LR
        assert size == pytest.approx(0.2 if name in MATRICES else 1, rel=0.25), name


def test_weights_decay_by_the_learning_rate_times_the_decay():
    ours = network()
    start = {name: p.detach().clone() for name, p in ours.named_parameters()}
    optimizer = Muon(ours, LR, weight_decay=0.5)
    for p in ours.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, now in ours.named_parameters():
        assert_close(now, start[name] * (1 - 0.5 * LR), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (8, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    g = torch.Generator().manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape, generator=g), full_matrices=False)
    matrix = u * torch.linspace(0.2, 3, len(s)) @ v
    found = u.T @ orthogonalised(matrix) @ v.T
    assert found.diag().min() > 0.6 and found.diag().max() < 1.3
    assert (found - found.diag().diag()).abs().max() < 0.1
    assert_close(orthogonalised(1000 * matrix), orthogonalised(matrix), atol=0.02, rtol=0)


def test_what_is_frozen_or_has_no_gradient_stays():
    ours = network()
    ours.inner.requires_grad_(False)
    ours.wide.requires_grad_(False)
    start = {name: p.detach().clone() for name, p in ours.named_parameters()}
    optimizer = Muon(ours, LR)
    still = "inner", "wide", "norm"
    train([p for n, p in ours.named_parameters() if not n.startswith(still)], optimizer)
    for name, now in ours.named_parameters():
        assert now.equal(start[name]) == name.startswith(still), name


def test_a_restored_state_goes_on_the_same():
    whole, cut, new = network(), network(), network()
    train(whole.parameters(), Muon(whole, LR))
    optimizer = Muon(cut, LR)
    g = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        if step == 3:
            new.load_state_dict(cut.state_dict())
            restored = Muon(new, LR)
            restored.load_state_dict(optimizer.state_dict())
            cut, optimizer = new, restored
        for p in cut.parameters():
            p.grad = torch.randn(p.shape, generator=g)
        optimizer.step()
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert_close(a, b, atol=0, rtol=0)
