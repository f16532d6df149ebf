"""The curves of a score. Written out, since scikit-learn takes longer to import than a report."""

import numpy as np


def has_both(labels: np.ndarray) -> bool:
    """Says whether there are films of both classes."""
    return bool(0 < labels.sum() < labels.size)


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the false and the true positive rate at every threshold, from (0, 0) to (1, 1).

    Args:
        labels: [N], 0 or 1, both of them.
        scores: [N].
    """
    true_positives, called = _counts(labels, scores)
    false_positives = called - true_positives
    negatives, positives = labels.size - labels.sum(), labels.sum()
    return np.r_[0, false_positives / negatives], np.r_[0, true_positives / positives]


def precision_recall(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns recall, rising from 0, and precision, which is 1 where nothing is called positive.

    Args:
        labels: [N], 0 or 1, both of them.
        scores: [N].
    """
    true_positives, called = _counts(labels, scores)
    return np.r_[0, true_positives / labels.sum()], np.r_[1, true_positives / called]


def auc(labels: np.ndarray, place: np.ndarray, weights: np.ndarray) -> float:
    """Returns the area under the ROC curve; NaN where a class is missing.

    Args:
        labels: [N], True or False.
        place: [N], the rank of each film's score, equal where the scores are.
        weights: [N], how many times each film counts.
    """
    positive = np.bincount(place, weights=weights * labels)
    negative = np.bincount(place, weights=weights * ~labels)
    below = np.cumsum(negative) - negative / 2.0
    pairs = positive.sum() * negative.sum()
    return float(positive @ below / pairs) if pairs else float("nan")


def _counts(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many positives, and how many films, lie at or above each distinct score."""
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), labels.size - 1]
    return np.cumsum(labels[order])[last], last + 1
