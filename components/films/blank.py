"""Whether a picture shows anything."""

import numpy as np

from components.films.errors import FilmError
from components.films.picture import to_grey

# A film with less contrast than this (standard deviation of the grey level, of 0 to 1) shows
# nothing.
BLANK = 0.01


def check_contrast(picture: np.ndarray) -> None:
    """Raises FilmError where a picture, uint8 [H, W] or [H, W, 3] blue first, shows nothing."""
    check_deviation(float(to_grey(picture).std()) / 255.0)


def check_deviation(deviation: float) -> None:
    """Raises FilmError where greys of this standard deviation, 0 to 1, show nothing."""
    if deviation < BLANK:
        raise FilmError(f"is blank: the grey level varies by {deviation:.4f} of the range only")
