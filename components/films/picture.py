"""A JPEG or PNG as the picture that a viewer would show; the served graph does the same."""

import cv2
import numpy as np

from components.films.errors import FilmError
from components.films.grey import Chain
from components.films.headers import first_line
from components.films.orientation import orientation, turned
from components.films.signatures import PNG

_DEPTH_AT = 24  # in the first chunk of a PNG
_WORDS = Chain(bits=16)


def decode(data: bytes) -> np.ndarray:
    """Decodes a JPEG or PNG, and turns it upright.

    Of 16 bits it becomes 8: all of the range, or, where its values cover no more than a quarter of
    it, as those of 10 to 14 bits do, what they cover; see `components.films.grey.used`.

    Returns:
        uint8 [H, W], or [H, W, 3 or 4], blue first.

    Raises:
        FilmError: OpenCV cannot decode it.
    """
    return _decoded(data, cv2.IMREAD_UNCHANGED)


def decode_grey(data: bytes) -> np.ndarray:
    """Decodes a JPEG or PNG as `decode` does, to uint8 [H, W].

    Raises:
        FilmError: OpenCV cannot decode it.
    """
    # A colour JPEG has a channel of its grey levels, and that of a film in 16 bits depends on all
    # of its values.
    if has_words(data):
        return to_grey(decode(data))
    return _decoded(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """Returns the grey levels, [H, W], of a picture as `decode` returns it."""
    if picture.ndim == 2:
        return picture
    alpha = picture.shape[2] == 4
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2GRAY if alpha else cv2.COLOR_BGR2GRAY)


def has_words(data: bytes) -> bool:
    """Whether the bytes are a PNG of 16 bits a sample."""
    return data.startswith(PNG) and data[_DEPTH_AT : _DEPTH_AT + 1] == b"\x10"


def _decoded(data: bytes, flags: int) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FilmError(f"cannot be decoded by OpenCV ({first_line(error)})") from error
    if pixels is None or pixels.size == 0:
        raise FilmError("cannot be decoded by OpenCV")
    if pixels.dtype == np.uint16:
        pixels = _shown(pixels)
    return turned(pixels, orientation(data))


def _shown(pixels: np.ndarray) -> np.ndarray:
    """Returns 16 bits as 8, all channels by the range of the grey levels."""
    return _WORDS.levels(to_grey(pixels).astype(np.int32))[pixels]
