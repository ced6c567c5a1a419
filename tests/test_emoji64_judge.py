"""The network that names an emoji."""

import shutil

import pytest
import torch

from diffusion_utils.emoji64 import evaluator
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.text import STYLES


@pytest.fixture(scope="module")
def loaded():
    return evaluator.load_evaluator()


def test_ranks_count_what_is_preferred():
    logits = torch.tensor([[3.0, 1, 2, 0], [3, 1, 2, 0], [0, 0, 0, 0]])
    labels = torch.tensor([0, 3, 2])
    assert evaluator.ranks(lambda x: x, logits, labels).tolist() == [0, 3, 0]


def test_the_best_name_has_rank_one():
    def judge(x):  # prefers the second name where the picture is bright
        assert x.min() >= -1 and x.max() <= 1
        bright = x.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), bright, bright - 9], 1)

    pictures = torch.stack([torch.full((3, 4, 4), 5.0), torch.full((3, 4, 4), -5.0)])
    judge = (judge, ["apple", "sun", "moon"], {})
    assert evaluator.name_ranks(judge, pictures, ["sun", "sun"]) == [1, 2]
    assert evaluator.name_ranks(judge, pictures, ["moon", "apple"]) == [3, 1]
    with pytest.raises(ValueError, match="star"):
        evaluator.name_ranks(judge, pictures, ["star", "sun"])


def test_top_counts_the_first_k():
    found = torch.tensor([0, 1, 4, 5])
    assert evaluator.top(found, 1) == 0.25
    assert evaluator.top(found, 5) == 0.75


def test_it_knows_the_names_of_the_data(loaded):
    assert loaded[1] == emoji().names


def test_its_ceiling_is_its_accuracy_on_the_style_it_never_saw(loaded):
    model, names, recorded = loaded
    data = emoji()
    unseen = [i for i, s in enumerate(data.style_index) if data.styles[s] == "twemoji"]
    assert len(unseen) == recorded["images"] == 508
    rgba = data.images[unseen].float() / 255
    white = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
    with torch.no_grad():
        best = model(2 * white - 1).topk(5).indices
    right = best == data.name_index[unseen][:, None]
    assert right[:, 0].double().mean() == pytest.approx(recorded["top1"], abs=0.001)
    assert right.any(1).double().mean() == pytest.approx(recorded["top5"], abs=0.001)
    assert recorded["top1"] > 0.5


def test_the_drawings_held_out_are_in_the_order_of_the_names():
    data = emoji()
    pictures, labels = evaluator.held_out(data)
    assert labels.tolist() == list(range(508)) and pictures.shape == (508, 3, 64, 64)
    apple = data.names.index("red apple")
    r, g, b = pictures[apple][:, 40, 24]
    assert r > 0.3 and g < 0 and b < 0


def test_it_trains_without_the_style_held_out(monkeypatch):
    data = emoji()
    seen = []
    monkeypatch.setattr(
        evaluator,
        "views",
        lambda data, chosen, g: (
            seen.append(chosen) or torch.zeros(len(chosen), 3, 8, 8)
        ),
    )
    evaluator.train_evaluator(data, steps=2, batch_size=400)
    styles = data.style_index[torch.cat(seen)]
    assert {data.styles[s] for s in styles} == set(STYLES) - {"twemoji"}


def test_altered_weights_are_refused(tmp_path):
    for file in evaluator.WEIGHTS.parent.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / evaluator.WEIGHTS.name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="git checkout"):
        evaluator.load_evaluator(path)
