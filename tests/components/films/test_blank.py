import numpy as np
import pytest

from components.films.blank import check_contrast
from components.films.errors import FilmError


def stripes(levels: int) -> np.ndarray:
    """Half of the columns at 100, half at so many levels above: the deviation is half of that."""
    return np.tile(np.array([100, 100 + levels], np.uint8), (8, 4))


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_next_to_one_grey_is_blank(levels: int) -> None:
    picture = stripes(levels)
    reason = f"is blank: the grey level varies by {levels / 2 / 255:.4f} of the range only"
    for shown in (picture, np.dstack([picture] * 3)):
        with pytest.raises(FilmError, match=reason):
            check_contrast(shown)


def test_a_hundredth_of_the_range_is_a_picture() -> None:
    check_contrast(stripes(6))
    check_contrast(np.dstack([stripes(6)] * 3))


def test_a_colour_whose_grey_varies_is_a_picture() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[:, ::2, 2] = 100
    check_contrast(red)
    # Blue and red that are equally bright: 0.114 x 131 and 0.299 x 50.
    grey = np.zeros((8, 8, 3), np.uint8)
    grey[:, ::2, 0], grey[:, 1::2, 2] = 131, 50
    with pytest.raises(FilmError, match="is blank"):
        check_contrast(grey)
