"""What the header of a JPEG or PNG says, before any pixel is decoded."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from components.shared.limits import FilmLimits

_FORMATS = ("JPEG", "PNG")


class BadImageError(ValueError):
    """The file is no usable film; the message says why, without naming the file."""


def image_size(data: bytes) -> tuple[str, int, int]:
    """Reads the header of an image, and leaves its pixels compressed.

    Returns:
        JPEG or PNG, and the width and height in pixels.

    Raises:
        BadImageError: the bytes begin as neither.
    """
    if not data:
        raise BadImageError("empty file")
    with opened(data) as image:
        return str(image.format), *image.size


def check_film(data: bytes, limits: FilmLimits) -> None:
    """Holds a JPEG or PNG to the limits, by its header.

    Raises:
        BadImageError: the bytes begin as neither, or are off the limits.
    """
    check_bytes(data, limits)
    _, width, height = image_size(data)
    check_size(width, height, limits)


def check_bytes(data: bytes, limits: FilmLimits) -> None:
    """Raises BadImageError where a file is too large."""
    if len(data) > limits.max_bytes:
        raise BadImageError(f"{len(data)} bytes are more than the limit of {limits.max_bytes}")


def check_size(width: int, height: int, limits: FilmLimits) -> None:
    """Raises BadImageError where a film is too large, too small or too long."""
    if width * height > limits.max_pixels:
        raise BadImageError(f"{width} x {height} pixels are more than {limits.max_pixels}")
    if min(width, height) < limits.min_side:
        raise BadImageError(f"{width} x {height} pixels: a side is under {limits.min_side}")
    if max(width, height) > limits.max_aspect_ratio * min(width, height):
        raise BadImageError(
            f"{width} x {height} pixels: longer than {limits.max_aspect_ratio:g} to 1"
        )


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Opens a JPEG or PNG by its header.

    Raises:
        BadImageError: the bytes begin as neither.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise BadImageError(f"too many pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise BadImageError("not a readable JPEG or PNG") from error
    except Exception as error:  # Pillow's parsers raise whatever a broken file makes them raise
        raise BadImageError(f"not a readable JPEG or PNG ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """Returns what a library says of a broken file, in short."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
