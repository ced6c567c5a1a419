"""Pictures in: any file in, one kind of tensor out, or one clear error."""

import random
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageOps
from torch.testing import assert_close

from diffusion_utils import pictures
from diffusion_utils.metrics import seam
from diffusion_utils.pictures import IMAGES, hole, load_image, save_sheet, shipped_image, to_pixels
from diffusion_utils.show import grid, unit_range

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


@pytest.mark.parametrize(
    ("mode", "grey", "name"),
    [
        ("L", 64, "p.png"),
        ("1", 1, "p.png"),
        ("I;16", 2**14, "p.png"),
        ("I;16", 2**14, "p.tif"),
        ("I;16B", 2**14, "p.tif"),
        ("I", 2**14, "p.tif"),
        ("F", 0.25, "p.tif"),
    ],
)
def test_modes_of_grey(saved, mode, grey, name):
    image = load_image(saved(Image.new(mode, (70, 70), grey), name))
    expected = 1.0 if mode == "1" else -0.5
    assert_close(image, torch.full((3, 64, 64), expected), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("mode", "grey", "top"),
    [("F", 1.1, 1), ("F", -0.1, 1), ("F", np.nan, 1), ("I", 2**16, 65535), ("I", -1, 65535)],
)
def test_grey_out_of_range_is_refused(saved, mode, grey, top):
    picture = Image.new(mode, (70, 70))
    picture.putpixel((3, 3), grey)
    with pytest.raises(ValueError, match=f"grey values are not all in 0 .. {top}.*save it again"):
        load_image(saved(picture, "picture.tif"))


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


def exif_of(orientation, numerator, denominator):
    """EXIF as a camera writes it, byte by byte: an orientation, and an x resolution of a fraction."""
    head = struct.pack("<2sHLH", b"II", 42, 8, 2)
    short = struct.pack("<HHLHH", 274, 3, 1, orientation, 0)
    fraction = struct.pack("<HHLL", 282, 10, 1, 38)  # signed
    return (
        b"Exif\0\0"
        + head
        + short
        + fraction
        + struct.pack("<L", 0)
        + struct.pack("<ll", numerator, denominator)
    )


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp"])
def test_a_malformed_tag_beside_the_rotation_does_not_matter(saved, name):
    picture = Image.new("RGB", (96, 64), "white")
    picture.paste("black", (0, 0, 48, 64))
    image = load_image(saved(picture, name, exif=exif_of(6, -1, 0)))
    assert image[:, :28].mean() < -0.95 and image[:, 36:].mean() > 0.95


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_of_the_eight_orientations_is_undone(saved, orientation):
    """Against PIL's own transposition, of a picture that looks different in all of them."""
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[:20, :40], drawn[:20, 40:], drawn[20:, :30] = (255, 0, 0), (0, 255, 0), 90
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(Image.fromarray(drawn), "p.png", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    expected = torch.from_numpy(np.asarray(expected) / np.float32(127.5) - 1)
    assert_close(load_image(path), expected.permute(2, 0, 1))


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif"])
def test_a_phone_held_upright_is_too(saved, name):
    picture = Image.new("RGB", (96, 64), "white")
    picture.paste("black", (0, 0, 48, 64))
    exif = Image.Exif()
    exif[274] = 6  # the left of what is stored is the top
    image = load_image(saved(picture, name, exif=exif))
    assert image[:, :28].mean() < -0.95 and image[:, 36:].mean() > 0.95


def test_the_middle_square_is_kept(saved):
    picture = Image.new("RGB", (300, 100), "blue")
    picture.paste("red", (100, 0, 200, 100))
    assert_close(load_image(saved(picture)), RED, atol=0.05, rtol=0)


def test_large_pictures_are_shrunk_without_moire(saved):
    stripes = np.tile(np.array([0, 255], np.uint8), (1024, 512))
    image = load_image(saved(Image.fromarray(stripes)))
    assert image.std() < 0.02


@pytest.mark.parametrize("name", ["huge.jpg", "huge.png"])
def test_huge_pictures_are_read_without_a_warning(saved, monkeypatch, name):
    sizes, on_white = [], pictures.on_white
    monkeypatch.setattr(pictures, "on_white", lambda p: sizes.append(p.size) or on_white(p))
    picture = Image.new("L", (9500, 9500), "white")  # above 89 million PIL warns
    picture.paste("black", (0, 0, 9500, 4750))
    path = saved(picture, name)
    del picture
    with warnings.catch_warnings(action="error"):
        image = load_image(path)
    assert image[:, :31].max() < -0.95 and image[:, 33:].min() > 0.95
    assert max(sizes[0]) < 2048  # small before the costly float arithmetic


def test_a_large_jpeg_is_decoded_small(saved, monkeypatch):
    sizes, plain = [], pictures.plain
    monkeypatch.setattr(pictures, "plain", lambda p: sizes.append(p.size) or plain(p))
    load_image(saved(Image.new("L", (5000, 4200)), "large.jpg"))
    assert sizes == [(1250, 1050)]


def test_the_limit_of_pil_is_replaced_and_put_back(saved, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 300)
    with warnings.catch_warnings(action="error"):  # PIL's would come from 150 on
        assert load_image(saved(Image.new("RGB", (15, 15)))).shape == (3, 64, 64)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_pictures_of_absurd_size_are_refused(saved, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 200)
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="too large, more than 200 .*save it smaller"):
        load_image(saved(Image.new("RGB", (15, 15))))
    assert Image.MAX_IMAGE_PIXELS == before


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for name in ("half.png", "half.jpg", "half.tif"):
        Image.open(IMAGES / "sailboat.png").save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "half.png", "half.jpg", "half.tif"):
        with pytest.raises(ValueError, match=f"{name} cannot be read.*save it again"):
            load_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no picture at"):
        load_image(tmp_path / "none.png")


@pytest.mark.parametrize(
    "error", [struct.error("bad"), KeyError(3), ZeroDivisionError("x"), zlib.error("y")]
)
def test_whatever_a_decoder_raises_is_one_line(saved, monkeypatch, error):
    def fail(*args, **options):
        raise error

    path = saved(Image.new("RGB", (64, 64)))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(ValueError, match="picture.png cannot be read as a picture"):
        load_image(path)


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "gif", "webp", "bmp"])
def test_altered_files_are_read_or_refused_in_one_line(tmp_path, kind):
    path = tmp_path / f"p.{kind}"
    Image.open(IMAGES / "sailboat.png").convert("RGB").save(path)
    whole, chance = path.read_bytes(), random.Random(kind)
    for _ in range(40):
        altered = bytearray(whole)
        for _ in range(8):  # most of what matters is at the beginning
            altered[chance.randrange(min(400, len(whole)))] = chance.randrange(256)
        path.write_bytes(altered)
        with warnings.catch_warnings(action="ignore"):
            try:
                assert load_image(path).shape == (3, 64, 64)
            except ValueError as error:
                assert str(path) in str(error) and "save it" in str(error)


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="sailboat"):
        shipped_image("boat")


def test_a_smooth_image_has_no_seam_and_a_pasted_one_has():
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    ramp = ramp + ramp.transpose(2, 3)
    mask = hole(20, 20, 40, 40)
    assert_close(seam(ramp, mask), torch.ones(1), atol=1e-3, rtol=0)
    assert seam(ramp + mask, mask) > 5


def test_a_hole_is_as_wide_and_as_high_as_it_says_and_where_it_says():
    mask = hole(10, 20, 13, 25)
    assert mask.shape == (1, 64, 64) and mask.sum() == 3 * 5
    rows, columns = mask[0].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 24, 10, 12)


@pytest.mark.parametrize(
    "corners", [(48, 16, 16, 48), (16, 16, 16, 48), (0, 0, 65, 9), (-1, 0, 9, 9)]
)
def test_holes_that_are_none(corners):
    with pytest.raises(ValueError, match="a hole is left, top, right, bottom"):
        hole(*corners)


def test_a_sheet_shows_the_images_row_by_row_on_white(tmp_path):
    values = torch.tensor([-2.0, -1, 0, 1, 0.5])  # the first is cut to -1
    images = values[:, None, None, None].expand(-1, 3, 4, 4)
    save_sheet(tmp_path / "sheet.png", images, columns=2, padding=1)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))[..., 0]
    assert sheet.shape == (3 * 5 + 1, 2 * 5 + 1)
    assert sheet[2::5, 2::5].tolist() == [[0, 0], [128, 255], [191, 255]]
    assert (sheet[::5] == 255).all() and (sheet[:, ::5] == 255).all()


def test_a_sheet_and_a_figure_show_the_same_pixels(tmp_path, monkeypatch):
    """Every value that 8 bit can hold comes back, and every third between two is rounded to the near one."""
    levels = torch.arange(0, 255, 1 / 3, dtype=torch.float64)[: 27 * 27].view(27, 27)
    images = (levels / 127.5 - 1).float().expand(1, 3, 27, 27)
    save_sheet(tmp_path / "sheet.png", images, padding=0)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert (sheet[..., 0] == levels.round().numpy()).all()
    shown = []
    monkeypatch.setattr(Axes, "imshow", lambda ax, image, **_: shown.append(image))
    grid([unit_range(images)])
    assert (shown[0] == sheet).all()


def test_what_is_no_number_is_not_shown_as_black(tmp_path):
    images = torch.zeros(1, 3, 8, 8)
    images[0, 1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        to_pixels(images)
    with pytest.raises(ValueError, match="NaN"):
        save_sheet(tmp_path / "sheet.png", images)
    assert not list(tmp_path.iterdir())
