"""What a threshold is worth on a test set, and how surely."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.tally import (
    Tally,
    auc,
    average_precision,
    brier,
    counts_at,
    rates_at,
    ratio,
)

# Of a slice; the other metrics are for the whole split.
_SLICE_INTERVALS = ("auc", "recall", "specificity")


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else float("nan")


def binary_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, Any]:
    """Returns the metrics of the rule `score >= threshold`, compared as float32.

    Args:
        labels: [N], 0 or 1.
        scores: [N], probabilities.
        threshold: of the rule.

    Returns:
        `auc`, `accuracy`, `recall`, `specificity`, `precision`, `f1`, `loss` (mean binary
        cross-entropy) and `confusion_matrix` (`tn`, `fp`, `fn`, `tp`). A ratio of nothing to
        nothing is NaN, and so is the AUC of one class.
    """
    labels = np.asarray(labels).astype(int)
    decisions = np.asarray(scores, np.float32) >= np.float32(threshold)
    matrix = confusion_matrix(labels, decisions, labels=[0, 1]).ravel()
    tn, fp, fn, tp = (int(count) for count in matrix)
    both = 0 < labels.sum() < labels.size
    return {
        "auc": float(roc_auc_score(labels, scores)) if both else float("nan"),
        "accuracy": _ratio(tp + tn, labels.size),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "precision": _ratio(tp, tp + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "loss": float(log_loss(labels, np.asarray(scores, np.float64), labels=[0, 1])),
        "confusion_matrix": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
    }


def resampled_metrics(films: Tally, threshold: float) -> dict[str, np.ndarray]:
    """Returns the metrics of every resample, [B] each, NaN where undefined.

    Args:
        films: the resamples.
        threshold: of the rule `score >= threshold`.
    """
    tn, fp, fn, tp = counts_at(films, threshold)
    rates = rates_at(films, threshold)
    return {
        "auc": auc(films),
        "accuracy": ratio(tp + tn, tn + fp + fn + tp),
        **rates,
        "precision": ratio(tp, tp + fp),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": (rates["recall"] + rates["specificity"]) / 2.0,
        "average_precision": average_precision(films),
        "brier": brier(films),
    }


def bootstrap_intervals(
    sample: Sample, threshold: float, bootstrap: Bootstrap
) -> dict[str, list[float]]:
    """Returns the 95 % percentile interval of each metric, patients resampled.

    Args:
        sample: the films.
        threshold: of the rule `score >= threshold`.
        bootstrap: the draws.

    Returns:
        [2.5 %, 97.5 %] for each metric; resamples in which it is undefined are left out.
    """
    return bootstrap.intervals(sample, partial(resampled_metrics, threshold=threshold))


def slice_metrics(
    sample: Sample,
    cohorts: Sequence[Mapping[str, Sequence[str]]],
    threshold: float,
    bootstrap: Bootstrap,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the metrics of each cohort, its patients resampled for the intervals.

    Args:
        sample: the films.
        cohorts: for each film, by kind, the cohorts that it belongs to; see `cohorts.py`.
        threshold: of the rule `score >= threshold`.
        bootstrap: the draws.

    Returns:
        {kind: {cohort: `films`, `patients`, the metrics, and the `intervals` of AUC, recall and
        specificity}}.
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


def _slice(sample: Sample, threshold: float, bootstrap: Bootstrap) -> dict[str, Any]:
    intervals = bootstrap_intervals(sample, threshold, bootstrap)
    return {
        "films": sample.labels.size,
        "patients": np.unique(sample.patients).size,
        **binary_metrics(sample.labels, sample.scores, threshold),
        "intervals": {name: intervals[name] for name in _SLICE_INTERVALS},
    }
