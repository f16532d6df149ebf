"""Youden's threshold: the operating point that maximises sensitivity + specificity - 1."""

from typing import NamedTuple

import numpy as np

# Values of J closer than this are equal: they are sums of ratios of whole numbers.
_TIE = 1e-12


class DegenerateScoresError(ValueError):
    """No threshold can be found; the message says why."""


class YoudenPoint(NamedTuple):
    """An operating point of the rule `probability >= threshold`.

    Attributes:
        threshold: a float32 value.
        sensitivity: on the data it was chosen by.
        specificity: likewise.
        j: sensitivity + specificity - 1.
        lowest: the threshold may go down to just above this score and decide the same.
        highest: it may go up to this score and decide the same.
    """

    threshold: float
    sensitivity: float
    specificity: float
    j: float
    lowest: float
    highest: float


def youden_threshold(labels: np.ndarray, scores: np.ndarray) -> YoudenPoint:
    """Finds the threshold of the highest J (Youden 1950, Cancer 3:32-35).

    Every threshold between two neighbouring scores decides the same, so that J has plateaus. Of
    several intervals with the same highest J the lowest is taken, which misses the fewest
    pneumonias, and in it the middle, which is furthest from both scores.

    Args:
        labels: [N], 0 or 1, both present.
        scores: [N], finite; compared as float32, as the served model does.

    Returns:
        The operating point.

    Raises:
        DegenerateScoresError: one class only, a score that is not finite, constant scores, or
            scores that no threshold makes better than chance.
    """
    labels = np.asarray(labels).astype(bool)
    scores = np.asarray(scores, dtype=np.float32)
    _check(labels, scores)
    cuts, index = np.unique(scores, return_inverse=True)
    positives = np.bincount(index, weights=labels)
    negatives = np.bincount(index, weights=~labels)
    # For the rule "score >= cuts[k]": what lies at and above the cut, what lies below.
    sensitivity = np.cumsum(positives[::-1])[::-1] / positives.sum()
    specificity = (np.cumsum(negatives) - negatives) / negatives.sum()
    j = sensitivity + specificity - 1.0
    best = int(np.flatnonzero(j >= j.max() - _TIE)[0])
    if best == 0 or j[best] <= _TIE:
        raise DegenerateScoresError("no threshold separates the classes better than chance")
    return YoudenPoint(
        threshold=_between(cuts[best - 1], cuts[best]),
        sensitivity=float(sensitivity[best]),
        specificity=float(specificity[best]),
        j=float(j[best]),
        lowest=float(cuts[best - 1]),
        highest=float(cuts[best]),
    )


def _check(labels: np.ndarray, scores: np.ndarray) -> None:
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be of one length")
    if not np.isfinite(scores).all():
        raise DegenerateScoresError(f"{(~np.isfinite(scores)).sum()} scores are not finite")
    if labels.all() or not labels.any():
        raise DegenerateScoresError(f"{labels.sum()} of {labels.size} films are positive")
    if (scores == scores[0]).all():
        raise DegenerateScoresError(f"all {scores.size} scores are {scores[0]:g}")


def _between(low: np.float32, high: np.float32) -> float:
    """Returns the float32 middle; `high` itself where rounding would take it down to `low`."""
    middle = np.float32((float(low) + float(high)) / 2.0)
    return float(middle if middle > low else high)
