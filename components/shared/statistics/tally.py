"""Films counted by their score, for many resamples at once.

Every measure of the rule `score >= threshold` depends on how many films of each class have which
score, and on nothing else. With those counts as arrays, a measure of 2,000 resamples is one
computation; the sample itself is the case of one resample.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

# Probabilities are held this far from 0 and 1, whose log odds are infinite.
_EDGE = 1e-7
# Likewise for the logarithm, as scikit-learn's log_loss does it.
_LOG_EDGE = float(np.finfo(np.float64).eps)


class Tally(NamedTuple):
    """Counts by score, of B resamples of films with G distinct scores.

    Attributes:
        scores: [G], ascending.
        positives: [B, G], films with pneumonia that have the score.
        negatives: [B, G], films without.
    """

    scores: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray


class Counts(NamedTuple):
    """The confusion matrix of each resample, four arrays [B]."""

    tn: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tp: np.ndarray


class Roc(NamedTuple):
    """The operating points of each resample, from "no film is called" to "every film is".

    Attributes:
        thresholds: [G + 1], descending: infinity, then each score.
        tp: [B, G + 1], positives at or above the threshold.
        fp: [B, G + 1], negatives at or above the threshold.
    """

    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray

    @property
    def sensitivity(self) -> np.ndarray:
        """[B, G + 1], ascending; NaN where there are no positives."""
        return ratio(self.tp, self.tp[:, -1:])

    @property
    def specificity(self) -> np.ndarray:
        """[B, G + 1], descending; NaN where there are no negatives."""
        return ratio(self.fp[:, -1:] - self.fp, self.fp[:, -1:])


def tally(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> Tally:
    """Counts films by score.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        weights: [B, N], how many times each film counts; once in a single resample if left out.

    Returns:
        The counts, in float64.
    """
    labels = np.asarray(labels).astype(bool)
    if weights is None:
        weights = np.ones((1, labels.size))
    order = np.argsort(scores, kind="stable")
    distinct, first = np.unique(np.asarray(scores)[order], return_index=True)
    ordered = np.asarray(weights, np.float64)[:, order]
    positives, negatives = ordered * labels[order], ordered * ~labels[order]
    if first.size < labels.size:
        positives = np.add.reduceat(positives, first, axis=1)
        negatives = np.add.reduceat(negatives, first, axis=1)
    return Tally(distinct, positives, negatives)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divides element by element, with broadcasting; nothing by nothing is NaN."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    missing = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=missing, where=denominator != 0)


def log_odds(scores: ArrayLike) -> np.ndarray:
    """Returns the log odds of probabilities, as float64, those of 0 and 1 finite."""
    return logit(np.clip(np.asarray(scores, np.float64), _EDGE, 1.0 - _EDGE))


def auc(films: Tally) -> np.ndarray:
    """Returns the area under the ROC curve, [B]: the Mann-Whitney statistic, a tie counts half."""
    below = np.cumsum(films.negatives, axis=1) - films.negatives / 2.0
    pairs = films.positives.sum(axis=1) * films.negatives.sum(axis=1)
    return ratio((films.positives * below).sum(axis=1), pairs)


def average_precision(films: Tally) -> np.ndarray:
    """Returns the mean over the positives of the precision at each one's score, [B]."""
    points = roc(films)
    precision = np.nan_to_num(ratio(points.tp, points.tp + points.fp))
    gained = np.diff(points.tp, axis=1)
    return ratio((gained * precision[:, 1:]).sum(axis=1), points.tp[:, -1])


def brier(films: Tally) -> np.ndarray:
    """Returns the mean squared difference of probability and label, [B] (Brier 1950)."""
    scores = films.scores.astype(np.float64)
    squares = films.positives @ (scores - 1.0) ** 2 + films.negatives @ scores**2
    return ratio(squares, (films.positives + films.negatives).sum(axis=1))


def cross_entropy(films: Tally) -> np.ndarray:
    """Returns the mean binary cross-entropy of probability and label, [B], in nats."""
    scores = np.clip(films.scores.astype(np.float64), _LOG_EDGE, 1.0 - _LOG_EDGE)
    losses = films.positives @ -np.log(scores) + films.negatives @ -np.log1p(-scores)
    return ratio(losses, (films.positives + films.negatives).sum(axis=1))


def counts_at(films: Tally, threshold: float) -> Counts:
    """Returns the confusion matrices of the rule `score >= threshold`, compared as float32."""
    called = films.scores.astype(np.float32) >= np.float32(threshold)
    return Counts(
        tn=films.negatives[:, ~called].sum(axis=1),
        fp=films.negatives[:, called].sum(axis=1),
        fn=films.positives[:, ~called].sum(axis=1),
        tp=films.positives[:, called].sum(axis=1),
    )


def roc(films: Tally) -> Roc:
    """Returns the operating points of every threshold."""
    none = np.zeros((films.positives.shape[0], 1))
    return Roc(
        thresholds=np.append(np.inf, films.scores[::-1]),
        tp=np.hstack([none, np.cumsum(films.positives[:, ::-1], axis=1)]),
        fp=np.hstack([none, np.cumsum(films.negatives[:, ::-1], axis=1)]),
    )
