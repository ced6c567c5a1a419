"""The training of a classifier, where what it learns is known."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from diffusion_utils.training.classifier import fit


class Bias(nn.Module):
    """The same logits for every image."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(4))
        self.types = set()

    def forward(self, images):
        self.types.add((images.flatten(1) @ torch.zeros(3, 4)).dtype)
        return self.logits.expand(len(images), -1)


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_it_learns_how_often_each_label_comes_smoothed(smoothing):
    """Of four labels that come with shares p, smoothed by s: (1 - s) p + s / 4."""
    labels = torch.tensor([0, 1, 2, 2, 2, 3, 3, 3, 3, 3])
    shares = (1 - smoothing) * torch.tensor([0.1, 0.1, 0.3, 0.5]) + smoothing / 4
    batches = ((torch.zeros(10, 3, 1, 1), labels) for _ in range(2000))
    model = fit(Bias(), batches, 2000, weight_decay=0.0, label_smoothing=smoothing)
    assert not model.training
    assert_close(model.logits.softmax(0), shares, atol=0.005, rtol=0)


@pytest.mark.parametrize("precision, dtype", [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_the_network_computes_in_the_precision_asked_for(precision, dtype):
    batch = torch.zeros(4, 3, 1, 1), torch.zeros(4).long()
    model = fit(Bias(), [batch] * 2, 2, weight_decay=0.0, precision=precision)
    assert model.types == {dtype}
