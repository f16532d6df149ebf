"""The film without its middle: what can be told from the border alone?"""

import cv2
import numpy as np

# The same rectangle of every film, as shares of its height and of its width. On a frontal film that
# is centred and not rotated it holds both lungs; no lungs are segmented.
ROWS = (0.15, 0.85)
COLUMNS = (0.10, 0.90)


def blank_centre(film: np.ndarray) -> np.ndarray:
    """Sets a central rectangle of a film to the film's mean grey level.

    What is left are borders, markers, shoulders, size and overall brightness.

    Args:
        film: uint8 [H, W].

    Returns:
        uint8 [H, W], another array.
    """
    film = film.copy()
    height, width = film.shape
    top, bottom = (round(share * height) for share in ROWS)
    left, right = (round(share * width) for share in COLUMNS)
    film[top:bottom, left:right] = round(float(film.mean()))
    return film


def encode_png(film: np.ndarray) -> bytes:
    """Encodes uint8 [H, W] as PNG, fast rather than small."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(film), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(data)
