"""What a model says of the films, with what is known of them."""

from typing import NamedTuple

import numpy as np


class Prediction(NamedTuple):
    """What a model says of one film.

    Attributes:
        split: of the film.
        file_name: of the film.
        patient: of the film.
        label: 0 NORMAL, 1 PNEUMONIA.
        subtype: of the film.
        width: pixels.
        height: pixels.
        mean: grey level, 0 to 1.
        bytes: size of the file.
        probability: of pneumonia, a float32 value.
        threshold: that the model holds, a float32 value.
    """

    split: str
    file_name: str
    patient: str
    label: int
    subtype: str
    width: int
    height: int
    mean: float
    bytes: int
    probability: float
    threshold: float


class Predictions(NamedTuple):
    """The predictions of one split as arrays, in the order of the file names."""

    file_names: list[str]
    patients: list[str]
    labels: np.ndarray
    subtypes: list[str]
    widths: np.ndarray
    heights: np.ndarray
    means: np.ndarray
    sizes: np.ndarray  # bytes of the file
    scores: np.ndarray
