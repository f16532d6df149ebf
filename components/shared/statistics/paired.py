"""By how much one model reads the same films better than another, and how surely."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from components.shared.statistics.bootstrap import Bootstrap, Sample, percentile_interval
from components.shared.statistics.metrics import METRICS, measured


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
    bootstrap: Bootstrap,
) -> dict[str, Difference]:
    """Returns how much the metrics of `reading` are above those of `reference`.

    Both read the same resamples of patients, with all their films: so what makes a resample easy
    or hard for both falls out of the difference.

    Args:
        labels: [N], 0 or 1.
        patients: N keys.
        reading: of one model, in the order of the labels.
        reference: of the other one.
        bootstrap: the draws of patients.

    Returns:
        A difference for each metric that has an interval; NaN where a class is missing.
    """
    names = [name for name, metric in METRICS.items() if metric.interval]
    values, drawn = [], []
    for read in (reading, reference):
        sample = Sample(labels, read.scores, np.asarray(patients))
        statistic = partial(measured, threshold=read.threshold, names=names)
        values.append(sample.value(statistic))
        # The same patients give the same draws.
        drawn.append(bootstrap.distribution(sample, statistic))
    return {
        name: Difference(
            float(values[0][name] - values[1][name]),
            percentile_interval(drawn[0][name] - drawn[1][name]),
        )
        for name in names
    }
