"""Youden's threshold: the operating point that maximises sensitivity + specificity - 1.

Where a model separates eval almost perfectly, J is flat over most thresholds, and where exactly it
is highest hangs on a film or two. So the threshold is estimated with all films: J of a monotone
score is highest where both classes are equally likely to give it, and a logistic regression on the
log odds of the scores, both classes weighing alike, says where that is.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from components.shared.errors import InputError
from components.shared.features import EVAL
from components.shared.result import Youden
from components.shared.statistics.tally import log_odds, roc, tally

# Values of J closer than this are equal: they are sums of ratios of whole numbers.
_TIE = 1e-12
# Of the regression: next to none, but where the classes do not overlap it needs some.
_INVERSE_PENALTY = 1e4
# Where there is no threshold: a model is measured all the same, so that the report can show why.
_STAND_IN = 0.5


class DegenerateScoresError(ValueError):
    """The model's scores have no threshold; the message says why."""


class YoudenPoint(NamedTuple):
    """An operating point of the rule `probability >= threshold`.

    Attributes:
        threshold: a float32 value.
        sensitivity: on the data it was chosen by.
        specificity: likewise.
        j: sensitivity + specificity - 1.
        lowest: the threshold may go down to just above this score and decide the same.
        highest: it may go up to this score and decide the same.
        rule: `calibrated` or `maximum`, see `youden_threshold`.
        highest_j: that any threshold has on these data.
    """

    threshold: float
    sensitivity: float
    specificity: float
    j: float
    lowest: float
    highest: float
    rule: str
    highest_j: float


class _Curve(NamedTuple):
    """Sensitivity and specificity [K] of the rules `score >= cuts[k]`, cuts ascending."""

    cuts: np.ndarray
    sensitivity: np.ndarray
    specificity: np.ndarray

    def point(self, number: int, threshold: float, rule: str) -> YoudenPoint:
        """Returns the operating point of a threshold that decides as `cuts[number]` does."""
        j = self.sensitivity + self.specificity - 1.0
        return YoudenPoint(
            threshold=threshold,
            sensitivity=float(self.sensitivity[number]),
            specificity=float(self.specificity[number]),
            j=float(j[number]),
            lowest=float(self.cuts[number - 1]),
            highest=float(self.cuts[number]),
            rule=rule,
            highest_j=float(j.max()),
        )


def youden_threshold(labels: np.ndarray, scores: np.ndarray) -> YoudenPoint:
    """Estimates the threshold of the highest J (Youden 1950, Cancer 3:32-35).

    It is where a logistic regression of the labels on the log odds of the scores (Platt 1999),
    both classes weighing alike, gives a half: rule `calibrated`. Where J there is lower than the
    highest by more than the highest's standard error, the data contradict the regression, and the
    threshold is `empirical_maximum`'s: rule `maximum`.

    Args:
        labels: [N], 0 or 1, both present.
        scores: [N], finite; compared as float32, as the served model does.

    Returns:
        The operating point.

    Raises:
        DegenerateScoresError: a score that is not finite, constant scores, or scores that no
            threshold makes better than chance.
        InputError: one class only.
    """
    labels, scores = _checked(labels, scores)
    curve = _curve(labels, scores)
    best = _maximum(curve)
    estimate = calibrated_threshold(labels, scores)
    number = int(np.searchsorted(curve.cuts, np.float32(estimate)))
    if not 0 < number < len(curve.cuts):
        return best
    point = curve.point(number, estimate, "calibrated")
    variance = sum(
        share * (1.0 - share) / films
        for share, films in (
            (best.sensitivity, labels.sum()),
            (best.specificity, (~labels).sum()),
        )
    )
    return point if point.j >= best.j - np.sqrt(variance) - _TIE else best


class Chosen(NamedTuple):
    """The threshold that a model is measured at.

    Attributes:
        threshold: a float32 value.
        youden: how it was found; None where there is none, and 0.5 stands for it.
        why_none: why there is none; empty where there is one.
    """

    threshold: float
    youden: Youden | None
    why_none: str


def choose_threshold(labels: np.ndarray, scores: np.ndarray, unusable: int) -> Chosen:
    """Returns Youden's threshold, or why the model has none.

    Args:
        labels: [N], 0 or 1, both present.
        scores: [N] of eval.
        unusable: how many probabilities of any films are no numbers.

    Raises:
        InputError: one class only.
    """
    try:
        point = youden_threshold(labels, scores)
    except DegenerateScoresError as error:
        return Chosen(_STAND_IN, None, str(error))
    if unusable:
        return Chosen(_STAND_IN, None, f"{unusable} probabilities are no numbers")
    return Chosen(
        point.threshold,
        Youden(**{name: getattr(point, name) for name in Youden.model_fields}),
        "",
    )


def calibrated_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the score, as float32, at which both classes are equally likely.

    Args:
        labels: bool [N], both present.
        scores: [N], 0 to 1, not constant.

    Returns:
        A score; NaN where higher scores do not speak for the positive class.
    """
    odds = log_odds(scores)[:, np.newaxis]
    model = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced").fit(odds, labels)
    slope = model.coef_[0, 0]
    return float(np.float32(expit(-model.intercept_[0] / slope))) if slope > 0 else float("nan")


def empirical_maximum(labels: np.ndarray, scores: np.ndarray) -> YoudenPoint:
    """Finds the threshold of the highest J on these very data.

    Every threshold between two neighbouring scores decides the same, so that J has plateaus. Of
    several intervals with the same highest J the lowest is taken, which misses the fewest
    pneumonias, and in it the middle, which is furthest from both scores.

    Args, returns and raises: as `youden_threshold`.
    """
    return _maximum(_curve(*_checked(labels, scores)))


def _maximum(curve: _Curve) -> YoudenPoint:
    j = curve.sensitivity + curve.specificity - 1.0
    best = int(np.flatnonzero(j >= j.max() - _TIE)[0])
    if best == 0 or j[best] <= _TIE:
        raise DegenerateScoresError("no threshold separates the classes better than chance")
    return curve.point(
        best, _between(float(curve.cuts[best - 1]), float(curve.cuts[best])), "maximum"
    )


def _curve(labels: np.ndarray, scores: np.ndarray) -> _Curve:
    points = roc(tally(labels, scores))
    # Ascending, and without the infinite threshold, which comes first.
    return _Curve(
        points.thresholds[:0:-1], points.sensitivity[0, :0:-1], points.specificity[0, :0:-1]
    )


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns them as bool and float32 [N], or says why no threshold can be found."""
    labels, scores = np.asarray(labels).astype(bool), np.asarray(scores, dtype=np.float32)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be of one length")
    if labels.all() or not labels.any():
        raise InputError(
            f"No threshold can be found on the {EVAL} split: {labels.sum()} of its {labels.size} "
            "films show pneumonia, and it takes films of both classes."
        )
    if not np.isfinite(scores).all():
        raise DegenerateScoresError(f"{(~np.isfinite(scores)).sum()} scores are not finite")
    if (scores == scores[0]).all():
        raise DegenerateScoresError(f"all {scores.size} scores are {scores[0]:g}")
    return labels, scores


def _between(low: float, high: float) -> float:
    """Returns the float32 middle; `high` itself where rounding would take it down to `low`."""
    middle = float(np.float32((low + high) / 2.0))
    return middle if middle > low else high
