"""Is this file a film that every later node can read, and what does it look like?

The check is strict where decoders are lenient: libjpeg fills a truncated film with grey and goes
on, and a 1 kB PNG can ask for gigabytes. What passes here is decoded by TensorFlow in Transform
and in the served model alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import tensorflow as tf

from components.films.blank import why_blank
from components.shared.headers import (
    BadImageError,
    check_bytes,
    check_size,
    first_line,
    image_size,
    opened,
)
from components.shared.limits import FilmLimits

# Films are inspected with the shares of these borders and this centre; see `_polarity`.
_BORDER = 1 / 16
_CENTRE = 1 / 10
# Mean difference between colour channels above which a picture is no grey film, of 0 to 1. The
# chroma noise of a grey film saved as colour JPEG stays well below it.
_COLOUR_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Facts:
    """What a film looks like; see `components.shared.record` for the units."""

    width: int
    height: int
    channels: int
    mean: float
    std: float
    colour: str
    polarity: str


def inspect_image(data: bytes, limits: FilmLimits) -> Facts:
    """Checks a film and describes it.

    Args:
        data: the file's bytes.
        limits: what is accepted.

    Returns:
        The facts about the film.

    Raises:
        BadImageError: the bytes are no complete JPEG or PNG, or the film is off the limits.
    """
    _check_header(data, limits)
    pixels = _decode(data)
    _check_serving_decoder(data)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    scale = float(np.iinfo(pixels.dtype).max)
    grey = _grey(pixels)
    mean, std = (float(value.item()) / scale for value in cv2.meanStdDev(grey))
    if why := why_blank(std):
        raise BadImageError(why)
    height, width = grey.shape
    return Facts(width, height, channels, mean, std, _colour(pixels, scale), _polarity(grey))


def _check_header(data: bytes, limits: FilmLimits) -> None:
    check_bytes(data, limits)
    kind, width, height = image_size(data)
    if kind == "PNG":
        with opened(data) as image:
            image.verify()  # the checksum of every chunk, and the end of the file
    check_size(width, height, limits)
    if kind != "PNG" and not _jpeg_is_complete(data):
        raise BadImageError("truncated JPEG: no end-of-image marker")


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether an end-of-image marker follows the last start of scan.

    Entropy-coded data never holds the two bytes of the marker: it stuffs a zero after 0xFF.
    """
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


def _decode(data: bytes) -> np.ndarray:
    """Decodes to uint8 or uint16 [H, W] or [H, W, 3 or 4], blue first."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadImageError(f"OpenCV cannot decode it ({first_line(error)})") from error
    if pixels is None or pixels.size == 0:
        raise BadImageError("OpenCV cannot decode it")
    return pixels


def _check_serving_decoder(data: bytes) -> None:
    """Has TensorFlow read the whole file: it refuses markers inside a scan that OpenCV skips.

    Of a JPEG only an eighth of the pixels is made, which spares most of the work.
    """
    try:
        if tf.io.is_jpeg(data):
            tf.io.decode_jpeg(data, ratio=8)
        else:
            tf.io.decode_png(data)
    except tf.errors.OpError as error:
        raise BadImageError(f"TensorFlow cannot decode it ({first_line(error)})") from error


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY if pixels.shape[2] == 4 else cv2.COLOR_BGR2GRAY)


def _colour(pixels: np.ndarray, scale: float) -> str:
    if pixels.ndim == 2:
        return "grey"
    blue, green, red = cv2.split(pixels[..., :3])
    largest, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    difference = cv2.mean(largest - least)[0] / scale
    return "colour" if difference > _COLOUR_DIFFERENCE else "grey"


def _polarity(grey: np.ndarray) -> str:
    """Tells a film from its negative: the spine is brighter than the air beside the chest.

    On the public set the upright stripe in the middle is brighter than the left and right border
    in every film looked at, and in no negative of one.
    """
    height, width = grey.shape
    border = max(1, int(width * _BORDER))
    half = max(1, int(width * _CENTRE))
    sides = np.concatenate([grey[:, :border], grey[:, -border:]], axis=1)
    middle = grey[height // 4 : height - height // 4, width // 2 - half : width // 2 + half]
    return "positive" if middle.mean() >= sides.mean() else "inverted"
