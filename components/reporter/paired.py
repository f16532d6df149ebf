"""By how much one model reads the same films better than another, and how surely."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from components.shared.statistics.bootstrap import Bootstrap, Sample, percentile_interval
from components.shared.statistics.tally import Tally, auc, rates_at

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
    interval: tuple[float, ...]


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
    bootstrap = Bootstrap(RESAMPLES, _SEED)
    values, drawn = [], []
    for read in (reading, reference):
        sample = Sample(labels, read.scores, np.asarray(patients))
        statistic = partial(_metrics, threshold=read.threshold)
        values.append(sample.value(statistic))
        # The same patients give the same draws.
        drawn.append(bootstrap.distribution(sample, statistic))
    return {
        name: Difference(
            float(values[0][name] - values[1][name]),
            tuple(percentile_interval(drawn[0][name] - drawn[1][name])),
        )
        for name in values[0]
    }


def _metrics(films: Tally, threshold: float) -> dict[str, np.ndarray]:
    return {"auc": auc(films), **rates_at(films, threshold)}
