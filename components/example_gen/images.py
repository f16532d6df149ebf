"""Is this file a film that every later node can read, and what does it look like?"""

from dataclasses import dataclass

import cv2
import numpy as np
import tensorflow as tf

from components.films.blank import check_deviation
from components.films.dicom import is_dicom
from components.films.errors import FilmError
from components.films.headers import first_line
from components.films.picture import decode, to_grey
from components.films.reader import plain
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
    """Checks a film and describes what is kept of it.

    Args:
        data: the file's bytes.
        limits: what is accepted.

    Returns:
        The facts about the film.

    Raises:
        FilmError: it is no film that may be read, is blank, or the served model would refuse it.
    """
    film = plain(data, limits)
    if not is_dicom(data):
        _check_serving_decoder(data)
    picture = decode(film)
    grey = to_grey(picture)
    mean, std = (float(value.item()) / 255.0 for value in cv2.meanStdDev(grey))
    check_deviation(std)
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    height, width = grey.shape
    return Facts(width, height, channels, mean, std, _colour(picture), _polarity(grey))


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
        raise FilmError(f"cannot be decoded by TensorFlow ({first_line(error)})") from error


def _colour(pixels: np.ndarray) -> str:
    if pixels.ndim == 2:
        return "grey"
    blue, green, red = cv2.split(pixels[..., :3])
    largest, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    difference = cv2.mean(largest - least)[0] / 255.0
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
