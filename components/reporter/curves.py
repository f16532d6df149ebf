"""The curves of a score, of the evaluator's counts: scikit-learn takes longer to import."""

import numpy as np

from components.shared.statistics import tally


def has_both(labels: np.ndarray) -> bool:
    """Says whether there are films of both classes."""
    return bool(0 < labels.sum() < labels.size)


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the false and the true positive rate at every threshold, from (0, 0) to (1, 1).

    Args:
        labels: [N], 0 or 1, both of them.
        scores: [N].
    """
    points = tally.roc(tally.tally(labels, scores))
    # Not 1 - specificity, which is off by a rounding.
    return tally.ratio(points.fp, points.fp[:, -1:])[0], points.sensitivity[0]


def precision_recall(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns recall, rising from 0, and precision, which is 1 where nothing is called positive.

    Args:
        labels: [N], 0 or 1, both of them.
        scores: [N].
    """
    points = tally.roc(tally.tally(labels, scores))
    precision = tally.ratio(points.tp, points.tp + points.fp)[0]
    precision[0] = 1.0
    return points.sensitivity[0], precision
