"""What a JPEG or PNG says of itself, before any pixel is decoded."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from components.films.bare import bare
from components.films.errors import FilmError
from components.films.signatures import JPEG, PNG
from components.shared.limits import FilmLimits

_FORMATS = ("JPEG", "PNG")
_NEITHER = "is no readable JPEG or PNG"


def check_film(data: bytes, limits: FilmLimits) -> bytes:
    """Holds a JPEG or PNG to the limits, and to being whole.

    Returns:
        It with its picture alone, see `components.films.bare`.

    Raises:
        FilmError: the bytes begin as neither, break off, or are off the limits.
    """
    check_bytes(len(data), limits)
    if not data.startswith((JPEG, PNG)):
        raise FilmError(_NEITHER)
    if data.startswith(JPEG) and not _jpeg_is_complete(data):
        raise FilmError("is a truncated JPEG: it has no end-of-image marker")
    film = bare(data)
    with _opened(film) as image:
        width, height = image.size
        check_size(width, height, limits)
        if image.format == "PNG":
            image.verify()  # the checksum of every chunk, and the end of the file
    return film


def check_bytes(size: int, limits: FilmLimits) -> None:
    """Raises FilmError where a file of so many bytes is empty or too large."""
    if not size:
        raise FilmError("is empty")
    if size > limits.max_bytes:
        raise FilmError(f"has {size} bytes; at most {limits.max_bytes} are read")


def check_size(width: int, height: int, limits: FilmLimits) -> None:
    """Raises FilmError where a film is too large, too small or too long."""
    pixels = f"has {width} x {height} pixels"
    if width * height > limits.max_pixels:
        raise FilmError(f"{pixels}; at most {limits.max_pixels} are read")
    if min(width, height) < limits.min_side:
        raise FilmError(f"{pixels}: a side is under {limits.min_side}")
    if max(width, height) > limits.max_aspect_ratio * min(width, height):
        raise FilmError(f"{pixels}: longer than {limits.max_aspect_ratio:g} to 1")


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether an end-of-image marker follows the last start of scan.

    Entropy-coded data never holds the two bytes of the marker: it stuffs a zero after 0xFF.
    """
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Opens a JPEG or PNG by its header.

    Raises:
        FilmError: the bytes begin as neither.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except FilmError:
        raise
    except Image.DecompressionBombError as error:
        raise FilmError(f"has too many pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise FilmError(_NEITHER) from error
    except Exception as error:  # Pillow's parsers raise whatever a broken file makes them raise
        raise FilmError(f"{_NEITHER} ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """Returns what a library says of a broken file, in short."""
    # TensorFlow says at which node first.
    said = re.sub(r"^\{\{.*?\}\} *", "", str(error))
    return (said.splitlines() or [type(error).__name__])[0][:120]
