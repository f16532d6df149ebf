"""What a threshold is worth on a test set, and how surely."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from components.shared.result import ConfusionMatrix, Decided, Interval, Slice
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.metrics import METRICS, measured
from components.shared.statistics.tally import counts_at, tally

_WITH_INTERVAL = tuple(name for name, metric in METRICS.items() if metric.interval)
# Of a slice; the other metrics are for the whole split.
_SLICE_INTERVALS = ("auc", "recall", "specificity")


def binary_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    intervals: Mapping[str, Interval] | None = None,
) -> Decided:
    """Returns the metrics of the rule `score >= threshold`, compared as float32.

    Args:
        labels: [N], 0 or 1.
        scores: [N], probabilities.
        threshold: of the rule.
        intervals: to put beside the metrics.

    Returns:
        Every metric of `METRICS`, and the confusion matrix. A ratio of nothing to nothing is NaN,
        and so is the AUC of one class.
    """
    films = tally(np.asarray(labels), np.asarray(scores))
    counts = counts_at(films, threshold)._asdict()
    return Decided(
        confusion_matrix=ConfusionMatrix(**{name: int(count[0]) for name, count in counts.items()}),
        intervals=dict(intervals or {}),
        **{name: float(value[0]) for name, value in measured(films, threshold).items()},
    )


def bootstrap_intervals(
    sample: Sample,
    threshold: float,
    bootstrap: Bootstrap,
    names: Iterable[str] = _WITH_INTERVAL,
) -> dict[str, Interval]:
    """Returns the 95 % percentile interval of metrics, patients resampled.

    Args:
        sample: the films.
        threshold: of the rule `score >= threshold`.
        bootstrap: the draws.
        names: of the metrics wanted.

    Returns:
        (2.5 %, 97.5 %) for each metric; resamples in which it is undefined are left out.
    """
    return bootstrap.intervals(sample, partial(measured, threshold=threshold, names=tuple(names)))


def slice_metrics(
    sample: Sample,
    cohorts: Sequence[Mapping[str, Sequence[str]]],
    threshold: float,
    bootstrap: Bootstrap,
) -> dict[str, dict[str, Slice]]:
    """Returns the metrics of each cohort, its patients resampled for the intervals.

    Args:
        sample: the films.
        cohorts: for each film, by kind, the cohorts that it belongs to; see `cohorts.py`.
        threshold: of the rule `score >= threshold`.
        bootstrap: the draws.

    Returns:
        {kind: {cohort: the metrics, and the intervals of AUC, recall and specificity}}.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for row, kinds in enumerate(cohorts):
        for kind, members in kinds.items():
            for cohort in members:
                found.setdefault(kind, {}).setdefault(cohort, []).append(row)
    return {
        kind: {
            cohort: _slice(sample.rows(np.array(rows)), threshold, bootstrap)
            for cohort, rows in sorted(cohorts_of_kind.items())
        }
        for kind, cohorts_of_kind in sorted(found.items())
    }


def _slice(sample: Sample, threshold: float, bootstrap: Bootstrap) -> Slice:
    intervals = bootstrap_intervals(sample, threshold, bootstrap, _SLICE_INTERVALS)
    found = binary_metrics(sample.labels, sample.scores, threshold, intervals)
    return Slice(
        films=sample.labels.size, patients=np.unique(sample.patients).size, **found.fields()
    )
