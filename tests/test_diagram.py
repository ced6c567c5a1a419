"""The chapters' diagrams: pictures where they belong, and no arrow across one."""

import matplotlib.pyplot as plt
import torch

from diffusion_utils.diagram import diagram


def test_arrows_run_between_pictures_and_never_over_one(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    places = [(0, 1.4), (2, 1.4), (0, 0), (2, 0), (4, 0.7)]
    arrows = [(0, 1), (2, 3), (1, 4), (3, 4)]
    diagram(
        {place: (picture, f"picture {i}") for i, place in enumerate(places)},
        [(places[a], places[b], "") for a, b in arrows],
    )
    (ax,) = shown[0].axes
    boxes = [image.get_extent() for image in ax.images]
    assert [(left, low) for left, _, low, _ in boxes] == places
    ends = [(t.xyann, t.xy) for t in ax.texts if getattr(t, "arrow_patch", None)]
    assert len(ends) == len(arrows)
    for start, end in ends:
        line = torch.linspace(0, 1, 50)[:, None] * (
            torch.tensor(end) - torch.tensor(start)
        ) + torch.tensor(start)
        for left, right, low, high in boxes:
            x, y = line.T
            assert not ((x > left) & (x < right) & (y > low) & (y < high)).any()
    (low_x, high_x), (low_y, high_y) = ax.get_xlim(), ax.get_ylim()
    assert all(low_x <= b[0] and b[1] <= high_x for b in boxes)
    assert all(low_y <= b[2] and b[3] <= high_y for b in boxes)
    plt.close(shown[0])
