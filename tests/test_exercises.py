"""What "Try it" asks for, done as a reader does it: edit a cell, run it again. No cell stops."""

import os
import re
import textwrap

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from diffusion_utils.files import ROOT

BOOK = ROOT / "book"

# page: [(figures whose cells are run again, {what is replaced: by what})]; … is the rest of a line.
# Without figures: what takes long, or starts at a timestep that the fast profile leaves out, is not run.
EXERCISES = {
    "appendix/emoji64": [
        (["e64-unselected"], {"prompts = …": 'prompts = [f"a blue {name}" for name in shown]'}),
        (
            ["e64-unselected"],
            {"prompts = …": 'prompts = [f"{called(name)} with black outlines" for name in shown]'},
        ),
    ],
    "part_a/a1_1_forward": [
        (["a11-noisy"], {"levels = [250, 500, 750, 990]": "levels = [50, 100, 150, 200]"}),
        (["a11-noisy", "a11-spectrum"], {'"sailboat"': '"photograph-cat"'}),
    ],
    "part_a/a1_2_classical_denoising": [
        (["a12-best"], {"levels, names = …": 'levels, names = [50, 250, 500], ["sailboat"]'}),
        (
            ["a12-best"],
            {"levels, names = …": 'levels, names = [250, 500, 750], ["photograph-cat"]'},
        ),
    ],
    "part_a/a1_3_one_step_denoising": [
        (["a13-one-step"], {"photo = …": 'photo = model.denoiser("a cactus")'}),
        (["a13-one-step"], {'"sailboat"': '"photograph-cat"'}),
    ],
    "part_a/a1_4_iterative_denoising": [
        ([], {"clean, 1, seeds": "clean, 10, seeds"}),
        (
            ["a14-steps"],
            {
                "x = schedule.step(x, x0_hat, t, t_prev, z)  # …": "x = schedule.forward(x0_hat, t_prev, eps)"
            },
        ),
    ],
    "part_a/a1_5_sampling": [
        (["a15-prompts"], {"prompts = …": 'prompts = ["a car", "a flower"]'}),
        (["a15-strip"], {"pairwise(timesteps)": "pairwise(strided_timesteps(990, 198))"}),
        (["a15-strip"], {"z=noise_like(x, rng)": "z=0 * x"}),
    ],
    "part_a/a1_6_guidance": [
        (["a16-gammas"], {"gammas = …": "gammas = [-2, 0, 2]"}),
        (["a16-negative"], {"wanted, unwanted = …": 'wanted, unwanted = "a car", "a red car"'}),
    ],
    "part_a/a1_7_image_to_image": [
        (
            ["a17-prompts"],
            {'["a fish", "a car"]': '["a bird", "a bus"]', '"#3fae6a"': '"#d03030"'},
        ),
    ],
    "part_a/a1_7_2_inpainting": [
        (
            ["a172-prompts"],
            {
                'hole(*HOLES["mushroom"])': '1 - hole(*HOLES["mushroom"])',
                "prompts = …": 'prompts = ["a house", "a jellyfish", "a lamp"]',
            },
        ),
        (["a172-prompts"], {'hole(*HOLES["mushroom"])': "disc"}),
    ],
    "part_a/a1_7_3_text_conditional": [
        (
            ["a173-mixtures"],
            {"pairs = …": 'pairs = [("sailboat", "a shark"), ("mushroom", "a jellyfish")]'},
        ),
        (["a173-mixtures"], {"seeds = [0] * len(pairs)": "seeds = [1] * len(pairs)"}),
    ],
    "part_a/a1_8_visual_anagrams": [],
    "part_a/a1_9_hybrid_images": [
        ([], {"**both)": '**both | {"i_start": 10})'}),
    ],
    "part_b/b1_one_step_denoiser": [
        (["b1-live"], {"0.5 * eps  # (B1.1)": "1.0 * eps"}),
        ([], {"train_small(30)": "train_small(300)"}),
    ],
    "part_b/b2_time_conditioned": [
        (
            ["b2-samples"],
            {"z = unit_noise((1, 28, 28), rng)": "z = 0 * unit_noise((1, 28, 28), rng)"},
        )
    ],
    "part_b/b2_limits": [(["limits-digits"], {})],
    "part_b/b3_class_conditioned": [
        (["b3-sevens"], {"(1, 2, 5)": "(1, 2, -2)"}),
        (
            ["b3-sevens"],
            {
                "any_digit = …": "any_digit = unet_denoiser(network, T, labels=torch.full((10,), 1))",
                "(1, 2, 5)": "(1, 2, 0.5)",
            },
        ),
    ],
}

FENCED = re.compile(r"^ *```python\n(.*?)^ *```", re.M | re.S)


class Page:
    """A chapter's cells of code, run one by one, and its section "Try it"."""

    def __init__(self, name):
        self.name = name
        cells = jupytext.read(BOOK / f"{name}.py").cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        self.try_it = text.partition("## Try it\n")[2].partition("\n## ")[0]
        code = [cell for cell in cells if cell.cell_type == "code"][1:]  # not the first, it fetches
        self.sources = [cell.source for cell in code]
        figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in code]
        self.figures = [figure.get("name") for figure in figures]
        self.names = {"__name__": "__main__"}

    def run(self, source):
        exec(compile(source, "<cell>", "exec"), self.names)
        plt.close("all")

    def place(self, figure):
        return self.figures.index(f"fig-{figure}")

    def edited(self, edits, last):
        """{place: cell} of the cells that the edits change, up to the last place."""
        changed = {}
        for old, new in edits.items():
            pattern = re.escape(old).replace("…", ".*")
            cells = [changed.get(n, source) for n, source in enumerate(self.sources[: last + 1])]
            place = max(n for n, source in enumerate(cells) if re.search(pattern, source))
            changed[place] = re.sub(pattern, lambda _, new=new: new, cells[place])
        return changed

    def again(self, figures, edits):
        """The cells that are run again: {place: cell}."""
        places = [self.place(figure) for figure in figures] or [len(self.sources)]
        same = {place: self.sources[place] for place in places if figures}
        return same | self.edited(edits, min(places))

    def blocks(self):
        """The cells that "Try it" has readers add."""
        return [textwrap.dedent(block) for block in FENCED.findall(self.try_it)]


@pytest.fixture
def quietly(monkeypatch, tmp_path):
    """No figure is shown, and the readers' own drawing is there."""
    monkeypatch.setenv("BOOK_PROFILE", os.environ.get("BOOK_PROFILE", "fast"))
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (300, 200), "white").save("my-drawing.jpg")
    with matplotlib.rc_context({"backend": "agg"}):
        yield


@pytest.mark.parametrize("name", EXERCISES)
def test_what_try_it_asks_for_runs(name, quietly):
    page = Page(name)
    for source in page.sources:
        page.run(source)
    for block in page.blocks():
        page.run(block)
    before = dict(page.names)
    for figures, edits in EXERCISES[name]:
        # the same dictionary, since functions of earlier cells look up their names in it
        page.names.clear()
        page.names.update(before)
        for _, source in sorted(page.again(figures, edits).items()) if figures else ():
            page.run(source)


@pytest.mark.parametrize("name", EXERCISES)
def test_each_edit_is_the_one_that_the_page_asks_for(name):
    page = Page(name)
    for figures, edits in EXERCISES[name]:
        assert page.again(figures, edits)
        for new in edits.values():
            assert new in page.try_it
        for figure in figures:
            assert f"fig-{figure}`" in page.try_it


def test_no_exercise_is_left_out():
    asked = {}
    for path in BOOK.glob("*/*.py"):
        if path.parent.name[0] != "_" and "## Try it" in path.read_text():
            page = Page(path.relative_to(BOOK).with_suffix("").as_posix())
            tasks = page.try_it.partition("```{dropdown}")[0]
            asked[page.name] = len(re.findall(r"^\d\. \*\*", tasks, re.M))
    found = {name: len(exercises) for name, exercises in EXERCISES.items()}
    for name, number in asked.items():
        assert number <= found[name] + len(Page(name).blocks()), name
    assert found.keys() == asked.keys()
