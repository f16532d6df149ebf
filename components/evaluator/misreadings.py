"""The films that the model reads wrongly and is surest of."""

from typing import NamedTuple

import cv2
import numpy as np

from components.evaluator.blanking import encode_png
from components.evaluator.predictions import Predictions
from components.films.picture import decode_grey

MISS, FALSE_ALARM = "miss", "false alarm"
_OF_EACH_KIND = 6
_LONGER_SIDE = 256


class Misreading(NamedTuple):
    """A film that the rule decides wrongly.

    Attributes:
        kind: `miss` or `false alarm`.
        file_name: of the film.
        patient: of the film.
        label: 0 or 1, the truth.
        probability: that the model gives.
    """

    kind: str
    file_name: str
    patient: str
    label: int
    probability: float


def worst_misreadings(predictions: Predictions, threshold: float) -> list[Misreading]:
    """Returns the misses of the lowest and the false alarms of the highest probability.

    Args:
        predictions: of one split.
        threshold: of the rule `probability >= threshold`, compared as float32.

    Returns:
        Up to six of each kind, misses first, the surest of each kind first; equal probabilities in
        the order of the predictions.
    """
    labels = predictions.labels.astype(bool)
    scores = predictions.scores.astype(np.float32)
    called = scores >= np.float32(threshold)
    surest = {
        MISS: (labels & ~called, np.argsort(scores, kind="stable")),
        FALSE_ALARM: (~labels & called, np.argsort(-scores, kind="stable")),
    }
    return [
        Misreading(
            kind,
            predictions.file_names[row],
            predictions.patients[row],
            int(labels[row]),
            float(scores[row]),
        )
        for kind, (wrong, order) in surest.items()
        for row in order[wrong[order]][:_OF_EACH_KIND]
    ]


def small_picture(data: bytes) -> bytes:
    """Returns a film as a grey 8-bit PNG whose longer side has at most 256 pixels.

    Args:
        data: the bytes of a JPEG or PNG.

    Raises:
        ValueError: the bytes are no image.
    """
    film = decode_grey(data)
    scale = _LONGER_SIDE / max(film.shape)
    if scale < 1.0:
        height, width = (max(1, round(side * scale)) for side in film.shape)
        film = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA)
    return encode_png(film)
