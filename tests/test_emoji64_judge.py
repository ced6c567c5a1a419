"""The network that names an emoji."""

import shutil
import sys

import pytest
import torch
from torch.testing import assert_close

from diffusion_utils.emoji64 import judge
from diffusion_utils.emoji64.captions import STYLES
from diffusion_utils.emoji64.dataset import Emoji, emoji


@pytest.fixture(scope="module")
def loaded():
    return judge.load_evaluator()


def test_ranks_count_what_is_preferred():
    logits = torch.tensor([[3.0, 1, 2, 0], [3, 1, 2, 0], [0, 0, 0, 0]])
    labels = torch.tensor([0, 3, 2])
    assert judge.ranks(lambda x: x, logits, labels).tolist() == [0, 3, 0]


def test_the_best_name_has_rank_one():
    def network(x):  # prefers the second name where the picture is bright
        assert x.min() >= -1 and x.max() <= 1
        bright = x.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), bright, bright - 9], 1)

    pictures = torch.stack([torch.full((3, 4, 4), 5.0), torch.full((3, 4, 4), -5.0)])
    named = (network, ["apple", "sun", "moon"], {})
    assert judge.name_ranks(named, pictures, ["sun", "sun"]) == [1, 2]
    assert judge.name_ranks(named, pictures, ["moon", "apple"]) == [3, 1]
    with pytest.raises(ValueError, match="star"):
        judge.name_ranks(named, pictures, ["star", "sun"])


def test_top_counts_the_first_k():
    found = torch.tensor([0, 1, 4, 5])
    assert judge.top(found, 1) == 0.25
    assert judge.top(found, 5) == 0.75


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
    pictures, labels = judge.held_out(data)
    assert labels.tolist() == list(range(508)) and pictures.shape == (508, 3, 64, 64)
    apple = data.names.index("red apple")
    r, g, b = pictures[apple][:, 40, 24]
    assert r > 0.3 and g < 0 and b < 0


def test_it_trains_without_the_style_held_out(monkeypatch):
    data = emoji()
    seen = []
    monkeypatch.setattr(
        judge,
        "views",
        lambda data, chosen, g: seen.append(chosen) or torch.zeros(len(chosen), 3, 8, 8),
    )
    judge.train_evaluator(data, steps=2, batch_size=400)
    styles = data.style_index[torch.cat(seen)]
    assert {data.styles[s] for s in styles} == set(STYLES) - {"twemoji"}


def test_altered_weights_are_refused(tmp_path):
    for file in judge.WEIGHTS.parent.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / judge.WEIGHTS.name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="git checkout"):
        judge.load_evaluator(path)


# What it is trained on


def test_edges_are_a_line_where_the_picture_changes():
    image = torch.zeros(2, 3, 32, 32)
    image[0, :, :, 16:] = 1  # from left to right
    image[1, 0, 8:] = 0.9  # from above to below, in red alone: 0.3 of grey
    found = judge.Edges()(image)
    assert found.shape == image.shape
    line = torch.ones(32, 32)
    line[:, 15:17] = 0
    assert_close(found[0], line.expand(3, -1, -1))
    line = torch.ones(32, 32)
    line[7:9] = 1 - 2 * 0.3
    assert_close(found[1], line.expand(3, -1, -1))


def disc(radius=16, size=64):
    y, x = torch.meshgrid(*[torch.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    return (x**2 + y**2 < radius**2).float()


def test_disturbances_change_the_colour_and_keep_the_shape():
    """Of a red disc on white: its hue, whether it is filled, its place and size."""
    torch.manual_seed(0)
    image = 1 - disc() * torch.tensor([0.1, 0.8, 0.8])[:, None, None]
    disturb = judge.disturbances()
    inner, outer, n = disc(8).bool(), ~disc(26).bool(), 400
    kinds, levels, masses = {"red": 0, "grey": 0, "other": 0, "outline": 0}, [], []
    for shown in (disturb(image[None])[0] for _ in range(n)):
        assert shown.shape == (3, 64, 64)
        levels.append(shown[:, outer].std(1).mean())
        r, g, b = colour = shown[:, inner].mean(1)
        around = shown[:, outer].mean(1)
        differs = (shown - around[:, None, None]).abs().mean(0)
        if (colour - around).abs().max() < 0.1:
            kinds["outline"] += 1
            ring = disc(22).bool() & ~disc(10).bool()
            assert differs[ring].mean() > 2 * differs[outer].mean()
            continue
        # place and size: nothing far away, nothing missing in the middle
        filled = differs > (colour - around).abs().mean() / 2
        masses.append(filled.sum() / disc().sum())
        assert filled[inner].float().mean() > 0.9
        assert filled[outer].float().mean() < 0.2
        if colour.max() - colour.min() < 0.04:
            kinds["grey"] += 1
        else:
            kinds["red" if r > max(g, b) else "other"] += 1
    kinds = {kind: count / n for kind, count in kinds.items()}
    assert 0.05 < kinds["outline"] < 0.25
    assert 0.1 < kinds["grey"] < 0.3
    assert 0.05 < kinds["other"] < 0.35
    assert 0.3 < kinds["red"] < 0.75
    # a half is noisy, and it is drawn in other sizes
    noisy = (torch.stack(levels) > 0.03).float().mean()
    assert 0.35 < noisy < 0.65
    assert torch.stack(masses).min() < 0.85 and torch.stack(masses).max() > 1.1


def three_things(count=24):
    """Drawings of three shapes of one colour, in the style held out and in another one."""
    shapes = torch.zeros(3, 64, 64)
    shapes[0, 28:36, 4:60] = shapes[1, 4:60, 28:36] = shapes[2, 20:44, 20:44] = 1
    name_index = torch.arange(count) % 3
    images = torch.zeros(count, 4, 64, 64, dtype=torch.uint8)
    images[:, 3] = (255 * shapes[name_index]).to(torch.uint8)
    images[:, 1] = 120
    return Emoji(
        images,
        ["beam", "box", "column"],
        torch.tensor([0, 2, 1])[name_index],
        ["noto", "twemoji"],
        (torch.arange(count) >= count // 2).long(),
    )


def test_views_are_the_drawings_on_white_disturbed_a_few_at_a_time():
    data, calls = three_things(), []

    def disturb(images):
        assert images.min() >= 0 and images.max() <= 1
        calls.append(len(images))
        return 1 - images

    chosen = torch.tensor([2, 0, 1, 5, 4])
    shown = judge.views(data, chosen, disturb, alike=2)
    assert calls == [2, 2, 1]
    rgba = data.images[chosen].double() / 255
    on_white = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
    assert_close(shown.double(), 2 * (1 - on_white) - 1, atol=1e-6, rtol=0)


def test_it_learns_the_right_names_of_what_is_disturbed(monkeypatch):
    data, seen = three_things(), []
    views = judge.views

    def recorded(data, chosen, disturb):
        seen.append((chosen, shown := views(data, chosen, disturb)))
        return shown

    monkeypatch.setattr(judge, "views", recorded)
    model = judge.train_evaluator(data, steps=40, batch_size=12)
    with torch.no_grad():
        found = model(judge.plain(data, torch.arange(24))).argmax(1)
    assert (found == data.name_index).float().mean() > 0.9
    # it never saw a drawing as it is stored for long
    as_it_is = [(x - judge.plain(data, c)).flatten(1).abs().amax(1) for c, x in seen]
    assert (torch.cat(as_it_is) < 0.02).float().mean() < 0.05


def test_the_judge_that_is_stored_is_the_one_that_was_measured(tmp_path, monkeypatch):
    """Its weights are rounded to half precision first; nothing that ships is touched."""
    data, before = three_things(), judge.WEIGHTS.read_bytes()
    torch.manual_seed(0)
    model = judge.Evaluator(3).eval()
    monkeypatch.setattr(judge, "emoji", lambda: data)
    monkeypatch.setattr(judge, "train_evaluator", lambda *_: model)
    monkeypatch.setattr(judge, "ceiling", lambda m, _: {"is": m[0].bias[0].item()})
    monkeypatch.setattr(sys, "argv", ["judge", "--out", str(tmp_path / "j.safetensors")])
    judge.main()
    loaded, names, recorded = judge.load_evaluator(tmp_path / "j.safetensors")
    assert names == data.names
    assert recorded["is"] == loaded[0].bias[0].item()
    assert judge.WEIGHTS.read_bytes() == before


def test_a_name_that_the_judge_has_not_learned_is_named():
    with pytest.raises(ValueError, match="no name 'flower'"):
        judge.name_ranks((None, ["owl"], None), torch.zeros(2, 3, 64, 64), ["owl", "flower"])
