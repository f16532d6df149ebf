"""What counts as an answer for a film."""

from typing import Any, NamedTuple

import numpy as np

from components.shared.features import CLASSES
from components.shared.text import shortened, visible

_SHOWN = 60


class Answer(NamedTuple):
    """What the model says of one film."""

    probability: float
    threshold: float
    label: str
    model_version: str


def answer_of(probability: Any, threshold: Any, label: Any, model_version: Any) -> Answer:
    """Returns an answer that agrees with itself.

    Args:
        probability: of pneumonia, 0 to 1.
        threshold: likewise.
        label: PNEUMONIA where the probability is the threshold or more, as float32; else NORMAL.
        model_version: a text.

    Raises:
        ValueError: it is none; the message says what was received.
    """
    for name, value in (("probability", probability), ("threshold", threshold)):
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ValueError(f"its {name} is {_short(value)}, not a number from 0 to 1")
    expected = CLASSES[int(np.float32(probability) >= np.float32(threshold))]
    if label != expected:
        raise ValueError(
            f"its label is {_short(label)}, and {expected} at probability {probability} and "
            f"threshold {threshold}"
        )
    if not isinstance(model_version, str) or visible(model_version) != model_version:
        raise ValueError(f"its version is {_short(model_version)}, not a name")
    return Answer(float(probability), float(threshold), expected, model_version)


def _short(value: Any) -> str:
    try:
        return shortened(visible(repr(value)), _SHOWN)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists in lists
        return "too long to be shown"
