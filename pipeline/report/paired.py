"""By how much one model reads the same films better than another, and how surely."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.report import curves

RESAMPLES = 2000
_SEED = 1


class Reading(NamedTuple):
    """What a model says of films.

    Attributes:
        scores: [N], probabilities.
        threshold: of the rule `score >= threshold`, compared as float32.
    """

    scores: np.ndarray
    threshold: float


class Difference(NamedTuple):
    """A metric of one model less that of another; `interval` holds 95 % percentiles."""

    value: float
    interval: tuple[float, float]


def differences(
    labels: np.ndarray,
    patients: Sequence[str],
    reading: Reading,
    reference: Reading,
) -> dict[str, Difference]:
    """Returns how much the metrics of `reading` are above those of `reference`.

    Both read the same resamples of patients, with all their films: so what makes a resample easy
    or hard for both falls out of the difference.

    Args:
        labels: [N], 0 or 1.
        patients: N keys.
        reading: of one model, in the order of the labels.
        reference: of the other one.

    Returns:
        `auc`, `recall` and `specificity`; NaN where a class is missing.
    """
    labels = labels.astype(bool)
    weights = np.vstack([np.ones(labels.size), _resamples(patients)])
    found = _metrics(labels, weights, reading)
    against = _metrics(labels, weights, reference)
    return {name: _difference(found[name] - against[name]) for name in found}


def _resamples(patients: Sequence[str]) -> np.ndarray:
    """Returns how many times each film counts in each resample, [RESAMPLES, N]."""
    keys, patient_of = np.unique(np.asarray(patients), return_inverse=True)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(keys.size, np.full(keys.size, 1 / keys.size), RESAMPLES)
    return drawn[:, patient_of]


def _metrics(labels: np.ndarray, weights: np.ndarray, reading: Reading) -> dict[str, np.ndarray]:
    """Returns the metrics of every row of weights [B, N], each an array [B]."""
    called = reading.scores.astype(np.float32) >= np.float32(reading.threshold)
    _, place = np.unique(reading.scores, return_inverse=True)
    return {
        "auc": np.asarray([curves.auc(labels, place, row) for row in weights]),
        "recall": _share(weights, called, labels),
        "specificity": _share(weights, ~called, ~labels),
    }


def _share(weights: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    total = weights[:, whole].sum(axis=1)
    share = np.full(total.shape, np.nan)
    return np.divide(weights[:, part & whole].sum(axis=1), total, out=share, where=total > 0)


def _difference(values: np.ndarray) -> Difference:
    """Takes the films as they are first, then the resamples."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn.size else (np.nan, np.nan)
    return Difference(float(values[0]), (float(low), float(high)))
