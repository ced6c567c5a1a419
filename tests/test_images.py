"""Pictures in: any file in, one kind of tensor out, or one clear error."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from diffusion_utils.data import IMAGES, hole, load_image, shipped_image
from diffusion_utils.metrics import seam

RED = torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(3, 64, 64)


@pytest.fixture
def saved(tmp_path):
    def save(picture, name="picture.png", **options):
        picture.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.mark.parametrize("name", sorted(path.stem for path in IMAGES.glob("*.png")))
def test_shipped_pictures_load(name):
    image = shipped_image(name)
    assert image.shape == (3, 64, 64) and image.abs().max() <= 1 and image.std() > 0.2


@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK"])
def test_modes_of_colour(saved, mode):
    name = "picture.tif" if mode == "CMYK" else "picture.png"
    image = load_image(saved(Image.new("RGB", (80, 80), "red").convert(mode), name))
    assert_close(image, RED, atol=0.02, rtol=0)


@pytest.mark.parametrize(("mode", "grey"), [("L", 128), ("1", 1), ("I;16", 128 * 257)])
def test_modes_of_grey(saved, mode, grey):
    image = load_image(saved(Image.new(mode, (70, 70), grey)))
    expected = 1.0 if mode == "1" else 128 / 127.5 - 1
    assert_close(image, torch.full((3, 64, 64), expected), atol=0.01, rtol=0)


def test_transparent_is_white(saved):
    image = load_image(saved(Image.new("RGBA", (64, 64), (255, 0, 0, 0))))
    assert_close(image, torch.ones(3, 64, 64))


def test_a_phone_s_rotation_is_undone(saved):
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste("black", (0, 0, 64, 32))
    exif = Image.Exif()
    exif[274] = 3  # upside down
    image = load_image(saved(picture, "p.jpg", exif=exif, quality=95))
    assert image[:, :28].mean() > 0.95 and image[:, 36:].mean() < -0.95


def test_the_middle_square_is_kept(saved):
    picture = Image.new("RGB", (300, 100), "blue")
    picture.paste("red", (100, 0, 200, 100))
    assert_close(load_image(saved(picture)), RED, atol=0.05, rtol=0)


def test_large_pictures_are_shrunk_without_moire(saved):
    stripes = np.tile(np.array([0, 255], np.uint8), (1024, 512))
    image = load_image(saved(Image.fromarray(stripes)))
    assert image.std() < 0.02


def test_pictures_of_absurd_size_are_refused(saved, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="too large.*save it smaller"):
        load_image(saved(Image.new("RGB", (15, 15))))


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    whole = (IMAGES / "sailboat.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "half.png"):
        with pytest.raises(ValueError, match=f"{name} cannot be read.*save it again"):
            load_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no picture at"):
        load_image(tmp_path / "none.png")


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="sailboat"):
        shipped_image("boat")


def test_a_smooth_image_has_no_seam_and_a_pasted_one_has():
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    ramp = ramp + ramp.transpose(2, 3)
    mask = hole(20, 20, 40, 40)
    assert_close(seam(ramp, mask), torch.ones(1), atol=1e-3, rtol=0)
    assert seam(ramp + mask, mask) > 5


@pytest.mark.parametrize(
    "corners", [(48, 16, 16, 48), (16, 16, 16, 48), (0, 0, 65, 9), (-1, 0, 9, 9)]
)
def test_holes_that_are_none(corners):
    with pytest.raises(ValueError, match="a hole is left, top, right, bottom"):
        hole(*corners)
