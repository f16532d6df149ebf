"""What a model says of the films, with what is known of them."""

from typing import Any, NamedTuple

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
        sharpness: see `correlations.sharpness`.
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
    sharpness: float
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
    sharpness: np.ndarray
    scores: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Predictions":
        """Returns the films of a mask, bool [N]."""
        columns: dict[str, Any] = {
            name: column[chosen]
            if isinstance(column, np.ndarray)
            else [value for value, wanted in zip(column, chosen, strict=True) if wanted]
            for name, column in self._asdict().items()
        }
        return Predictions(**columns)
