"""Films, and the heat map of what the net looked at laid over them, as PNG files."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageOps

_SIDE = 256  # pixels: enough to see a lobe, small enough for a page of a dozen films
# Hot places are covered by this much at most, so that the film stays visible there too.
_COVER = 0.55
# Equal steps of heat look like equal steps, and it can be read by the colour-blind.
_COLOURS = "inferno"


def film(picture: bytes) -> bytes:
    """Returns a film as a grey PNG of the page's size, on black where it is not square.

    Raises:
        OSError: it is no picture.
    """
    return _png(_grey(picture))


def overlay(picture: bytes, heat: Sequence[Sequence[float]]) -> bytes:
    """Returns a film with a heat map laid over it, as a PNG of the page's size.

    Args:
        picture: what the net saw of the film, a square of any size.
        heat: [rows, columns], 0 to 1; rises from clear to covered.

    Raises:
        OSError: it is no picture.
    """
    grey = _grey(picture)
    smooth = upsample(np.asarray(heat, float), grey.size)
    cover = (_COVER * smooth)[..., None]
    base = np.repeat(np.asarray(grey, float)[..., None], 3, axis=2)
    colours = colormaps[_COLOURS](smooth)[..., :3] * 255
    mixed = np.rint((1 - cover) * base + cover * colours).astype(np.uint8)
    # A palette halves the bytes, and its loss is not seen.
    return _png(Image.fromarray(mixed).quantize(256))


def upsample(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a heat map [height, width] of a size (width, height), smooth, within 0 to 1."""
    known = np.nan_to_num(heat).astype(np.float32)
    enlarged = Image.fromarray(known).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(enlarged, float), 0, 1)


def _grey(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        grey = image.convert("L")
    return ImageOps.pad(grey, (_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
