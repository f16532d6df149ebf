"""Whether a picture shows anything."""

import cv2
import numpy as np

from components.films.errors import FilmError

# A film with less contrast than this (standard deviation of the grey level, of 0 to 1) shows
# nothing.
_BLANK = 0.01


def check_contrast(picture: np.ndarray) -> None:
    """Raises FilmError where a picture, uint8 [H, W] or [H, W, 3] blue first, shows nothing."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    if why := why_blank(float(grey.std()) / 255.0):
        raise FilmError(f"is {why}")


def why_blank(deviation: float) -> str:
    """Returns why greys of this standard deviation, 0 to 1, show nothing; empty where they do."""
    if deviation >= _BLANK:
        return ""
    return f"blank: the grey level varies by {deviation:.4f} of the range only"
