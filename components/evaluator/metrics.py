"""What a threshold is worth on a test set, and how surely."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

# Metrics that a confusion matrix gives.
_INTERVALS = ("auc", "accuracy", "recall", "specificity", "precision", "f1")


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else float("nan")


def _from_counts(tn: float, fp: float, fn: float, tp: float) -> dict[str, float]:
    return {
        "accuracy": _ratio(tp + tn, tn + fp + fn + tp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "precision": _ratio(tp, tp + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


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
        **_from_counts(tn, fp, fn, tp),
        "loss": float(log_loss(labels, np.asarray(scores, np.float64), labels=[0, 1])),
        "confusion_matrix": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
    }


def bootstrap_intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    patients: Sequence[str],
    threshold: float,
    resamples: int,
    seed: int,
) -> dict[str, list[float]]:
    """Returns 95 % percentile intervals by resampling patients, with all their films.

    Films of one patient are alike: resampling films would make the intervals too narrow.

    Args:
        labels: [N], 0 or 1.
        scores: [N].
        patients: N keys.
        threshold: of the rule `score >= threshold`.
        resamples: how many times the patients are drawn anew, with replacement.
        seed: of the draws.

    Returns:
        [2.5 %, 97.5 %] for each metric; resamples in which it is undefined are left out.
    """
    labels = np.asarray(labels).astype(bool)
    decisions = np.asarray(scores, np.float32) >= np.float32(threshold)
    _, patient_of = np.unique(np.asarray(patients), return_inverse=True)
    _, place = np.unique(scores, return_inverse=True)
    number = int(patient_of.max()) + 1
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in _INTERVALS}
    for _ in range(resamples):
        weights = np.bincount(rng.integers(0, number, number), minlength=number)[patient_of]
        tp, fn = weights[labels & decisions].sum(), weights[labels & ~decisions].sum()
        fp, tn = weights[~labels & decisions].sum(), weights[~labels & ~decisions].sum()
        values = {"auc": _weighted_auc(labels, place, weights), **_from_counts(tn, fp, fn, tp)}
        for name in _INTERVALS:
            drawn[name].append(values[name])
    return {name: _percentiles(values) for name, values in drawn.items()}


def _weighted_auc(labels: np.ndarray, place: np.ndarray, weights: np.ndarray) -> float:
    """Returns the AUC where film i counts `weights[i]` times; `place` is its score's rank."""
    positive = np.bincount(place, weights=weights * labels)
    negative = np.bincount(place, weights=weights * ~labels)
    below = np.cumsum(negative) - negative / 2.0
    return _ratio(float(positive @ below), float(positive.sum() * negative.sum()))


def _percentiles(values: Sequence[float]) -> list[float]:
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return [float("nan"), float("nan")]
    return [float(bound) for bound in np.percentile(finite, [2.5, 97.5])]


def slice_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    cohorts: Sequence[Mapping[str, Sequence[str]]],
    threshold: float,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the metrics of each cohort: {kind: {cohort: metrics and `films`}}.

    Args:
        labels: [N].
        scores: [N].
        cohorts: for each film, by kind, the cohorts that it belongs to; see `cohorts.py`.
        threshold: of the rule.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for row, kinds in enumerate(cohorts):
        for kind, members in kinds.items():
            for cohort in members:
                found.setdefault(kind, {}).setdefault(cohort, []).append(row)
    return {
        kind: {
            cohort: {"films": len(rows), **binary_metrics(labels[rows], scores[rows], threshold)}
            for cohort, rows in sorted(cohorts_of_kind.items())
        }
        for kind, cohorts_of_kind in sorted(found.items())
    }
