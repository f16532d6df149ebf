"""What the header of a JPEG or PNG says, before any pixel is decoded."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

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
