"""The drawings of Emoji-64: what ships, and how it is made."""

import io
import json
import shutil
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from diffusion_utils.emoji64 import prepare
from diffusion_utils.emoji64.captions import STYLES
from diffusion_utils.emoji64.dataset import PATH, emoji

USED = (
    "rocket, broccoli, ninja, skull, old man, snow capped mountain, camping, dog, "
    "red apple, pencil, house, sailboat, fish, cat, penguin, mushroom, cactus, castle, "
    "volcano, umbrella, guitar, strawberry, owl, rabbit, lion, duck"
).split(", ")
RED = '<rect width="16" height="8" fill="#f00"/>'


@pytest.fixture(scope="module")
def table():
    return pq.read_table(PATH).to_pydict()


@pytest.fixture(scope="module")
def data():
    return emoji()


def test_there_are_enough_names_in_enough_styles(table):
    styles = {}
    for name, style in zip(table["name"], table["style"], strict=True):
        styles.setdefault(name, set()).add(style)
    assert len(styles) >= 500
    assert min(map(len, styles.values())) >= 4
    assert set(USED) <= set(styles)


def test_licences_allow_training_and_are_those_of_the_sources(table):
    assert set(table["licence"]) <= {"Apache-2.0", "MIT", "CC-BY-4.0"}
    for style, source, licence in zip(
        table["style"], table["source"], table["licence"], strict=True
    ):
        assert source.startswith(f"@iconify-json/{style}@{prepare.SOURCES[style].version}/")
        assert licence == prepare.SOURCES[style].licence


def test_no_drawing_is_there_twice(table):
    assert len(set(table["source"])) == len(table["source"])
    assert len(set(table["image"])) > 0.995 * len(table["image"])


def test_every_drawing_shows_something(data):
    rgb, alpha = data.images[:, :3].float(), data.images[:, 3].float()
    assert data.images.shape[1:] == (4, 64, 64)
    covered = (alpha > 128).float().mean((1, 2))
    assert covered.min() > 0.04
    visible = (rgb * (alpha[:, None] > 128)).flatten(1)
    assert visible.std(1).min() > 1


def test_indices_name_the_rows(data, table):
    assert [data.names[i] for i in data.name_index] == table["name"]
    assert [data.styles[i] for i in data.style_index] == table["style"]
    assert set(data.styles) == set(STYLES) == set(prepare.SOURCES)


def test_the_data_card_counts_right(table):
    card = (PATH.parent / "README.md").read_text()
    assert f"{len(table['name']):,} drawings of {len(set(table['name']))} things" in card
    for style, source in prepare.SOURCES.items():
        package = f"`@iconify-json/{style}` {source.version}"
        assert f"| `{style}` | {table['style'].count(style)} | {package} |" in card


def test_the_contact_sheet_shows_every_name(tmp_path, data):
    prepare.contact_sheet(pq.read_table(PATH), tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    tiles = sheet.reshape(16, 40, 32, 40).swapaxes(1, 2).reshape(512, -1)
    assert (tiles.std(1) > 1).tolist() == [True] * len(data.names) + [False] * 4
    shipped = Image.open(PATH.parent / "contact_sheet.png").convert("L")
    assert (np.asarray(shipped) == sheet).all()


def test_an_altered_file_is_refused(tmp_path):
    for file in (PATH, PATH.parent / "SHA256SUMS"):
        shutil.copy(file, tmp_path)
    path = tmp_path / PATH.name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="train.parquet is not the file .* `git checkout"):
        emoji(path)
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match="there is no file .*train.parquet; .* `git checkout"
    ):
        emoji(path)


def test_without_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="npm is missing"):
        prepare.download("noto", tmp_path)


def test_when_npm_fails(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(OSError, match="could not fetch @iconify-json/noto@.*no network"):
        prepare.download("noto", tmp_path)


def test_what_npm_fetches_has_the_recorded_digest(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    name = f"iconify-json-noto-{prepare.SOURCES['noto'].version}.tgz"
    npm.write_text(f"#!/bin/sh\necho another package > {name}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(OSError, match="not the recorded @iconify-json/noto@"):
        prepare.download("noto", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    assert prepare.INTEGRITY.keys() == prepare.SOURCES.keys()


def test_a_drawing_is_rendered_as_it_says():
    icons = {
        "icons": {"a": {"body": RED}},
        "aliases": {"b": {"parent": "a"}},
        "width": 16,
        "height": 16,
    }
    for name in "ab":
        pixels = np.asarray(Image.open(io.BytesIO(prepare.render(prepare.svg(icons, name)))))
        assert pixels.shape == (64, 64, 4)
        assert (pixels[:32] == [255, 0, 0, 255]).all() and (pixels[32:, :, 3] == 0).all()


def test_numbered_drawings_and_other_names_are_found():
    icons = {"icons": {"pizza-1": {}, "pizza-2": {}, "pizza-box": {}, "lion-face": {}}}
    assert prepare.drawings(icons, "pizza") == ["pizza-1", "pizza-2"]
    assert prepare.drawings(icons, "lion") == ["lion-face"]
    assert prepare.drawings(icons, "tiger") == []


def test_names_with_few_styles_are_left_out(tmp_path, monkeypatch):
    for index, (style, source) in enumerate(prepare.SOURCES.items()):
        icons = {"width": 16, "height": 16, "icons": {"rocket": {"body": RED}}}
        if index < 3:
            icons["icons"]["broccoli"] = {"body": RED}
        content = json.dumps(icons).encode()
        with tarfile.open(tmp_path / f"iconify-json-{style}-{source.version}.tgz", "w:gz") as tar:
            info = tarfile.TarInfo("package/icons.json")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(prepare, "wanted", lambda: {"rocket": "rocket", "broccoli": "broccoli"})
    assert [row["name"] for row in prepare.rows(tmp_path)] == ["rocket"] * 7
