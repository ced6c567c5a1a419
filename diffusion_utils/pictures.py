"""Pictures: loading any, saving sheets, those that ship with the book, and holes to fill."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image
from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize
from torchvision.utils import make_grid

from diffusion_utils.files import ROOT, atomic, restoring


def to_unit(images):
    """uint8 images 0 .. 255 -> float32 in [0, 1]."""
    return images.float().div(255)


def to_pixels(images):
    """(B, 1 or 3, H, W) floats -> (B, H, W[, 3]) uint8, rounded; values outside [0, 1] are clipped.

    Raises:
        ValueError: a value is no number.
    """
    images = images.detach().float().cpu()
    if images.isnan().any():
        raise ValueError("an image holds NaN, which is no shade of grey")
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
    return pixels.squeeze(-1).numpy()


IMAGES = ROOT / "data" / "images"
SIZE = 64  # pixels, of a picture that a model takes
# a phone's picture has up to 200 million; a file of far more is a trap, or fills the memory
MAX_PIXELS = 500_000_000


def load_image(path):
    """Read any picture -> (3, 64, 64) in [-1, 1], its middle square, on white where transparent.

    Grey of more than 8 bit is read as 0 .. 65535, or as 0 .. 1 if it is float.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture, is damaged, has grey values out of range, or is larger
            than MAX_PIXELS.
    """
    path = Path(path)
    ample = 16 * SIZE  # shrinking to this by whole blocks is not seen in the result
    try:
        with pixel_limit(MAX_PIXELS), Image.open(path) as file:
            file.draft(None, (ample, ample))  # a JPEG is decoded that small at once
            file.load()
            orientation = file.getexif().get(ExifTags.Base.Orientation)
            picture = plain(file)
            picture = picture.reduce(max(1, min(picture.size) // ample))
            picture = upright(picture, orientation)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no picture at {path}") from error
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{path} is too large, more than {MAX_PIXELS:,} pixels; save it smaller"
        ) from error
    except Exception as error:  # each of PIL's decoders fails in ways of its own
        raise ValueError(
            f"{path} cannot be read as a picture ({type(error).__name__}: {error}); "
            "save it again as PNG or JPEG"
        ) from error
    picture = center_crop(on_white(picture), min(picture.size))
    pixels = resize(pil_to_tensor(picture).float(), [SIZE, SIZE], antialias=True)
    return pixels.div(127.5).sub(1).clamp(-1, 1)


@contextmanager
def pixel_limit(pixels):
    """Let PIL open pictures of up to so many pixels. Its own limit is a global: put it back."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = pixels // 2  # where PIL warns; it refuses twice as many
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


UPRIGHT = {  # what undoes the eight orientations of EXIF; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(picture, orientation):
    """Turned as a camera asks for. PIL's `exif_transpose` would write all EXIF anew, which may fail."""
    turn = UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def plain(picture):
    """Any mode of PIL's -> RGBA if there is transparency, or RGB."""
    if picture.mode.startswith(("I", "F")):
        picture = eight_bit(picture)
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def eight_bit(picture):
    """Grey of 16 bit or float -> L; PIL itself would clip the values instead of scaling them."""
    values = np.asarray(picture, np.float32)
    top = 1 if picture.mode == "F" else 65535
    if not ((values >= 0) & (values <= top)).all():  # NaN is refused too
        raise ValueError(f"its grey values are not all in 0 .. {top}")
    return Image.fromarray((values * (255 / top)).round().astype(np.uint8))


def on_white(picture):
    """RGB or RGBA -> RGB."""
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def save_sheet(path, images, columns=8, padding=2):
    """Write images (B, 3, H, W) in [-1, 1] to a PNG, row by row on white, atomically."""
    unit = images / 2 + 0.5
    sheet = make_grid(unit, nrow=columns, padding=padding, pad_value=1.0)
    png = Image.fromarray(to_pixels(sheet[None])[0])
    with atomic(path) as partial:
        png.save(partial, "PNG", optimize=True)


def shipped_image(name):
    """A picture that ships with the book -> (3, 64, 64) in [-1, 1]; see data/images/README.md.

    Raises:
        FileNotFoundError: the pictures did not come with the package.
        ValueError: there is none of that name.
    """
    known = sorted(path.stem for path in IMAGES.glob("*.png"))
    if not known:
        raise FileNotFoundError(f"no pictures in {IMAGES}; {restoring(IMAGES)}")
    if name not in known:
        raise ValueError(f"unknown picture {name!r}; there are {', '.join(known)}")
    return load_image(IMAGES / f"{name}.png")


# what chapter 1.7.2 fills: left, top, right, bottom of a hole in each picture, see `hole`
HOLES = {"sailboat": (12, 4, 48, 34), "mushroom": (4, 2, 60, 38), "cactus": (12, 2, 52, 34)}


def hole(left, top, right, bottom):
    """A mask (1, 64, 64) that is 1 in a rectangle, in pixels, and 0 around it.

    Raises:
        ValueError: the rectangle is empty, or not inside the picture.
    """
    if not (0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE):
        raise ValueError(
            f"a hole is left, top, right, bottom within 0 .. {SIZE}, got {left}, {top}, {right}, {bottom}"
        )
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, top:bottom, left:right] = 1
    return mask
