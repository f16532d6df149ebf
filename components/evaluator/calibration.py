"""Is a probability what it says? Brier score, reliability bins, recalibration."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from components.shared.result import Calibration, ReliabilityBin
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.proportions import wilson_interval
from components.shared.statistics.tally import Tally, brier, log_odds, ratio, tally

BINS = 10
_TOLERANCE = 1e-10


def calibration(sample: Sample, bootstrap: Bootstrap) -> Calibration:
    """Returns how well the probabilities are calibrated.

    `slope` and `intercept` are those of recalibration, and of the bins those are there that hold
    films. The bootstrap interval of a calibration error lies high: noise is error to it.
    """
    value = sample.value(_measures)
    return Calibration(
        brier=float(sample.value(lambda films: {"brier": brier(films)})["brier"]),
        ece_bins=BINS,
        bins=reliability_bins(tally(sample.labels, sample.scores)),
        intervals=bootstrap.intervals(sample, _measures),
        **{name: float(number) for name, number in value.items()},
    )


def _measures(films: Tally) -> dict[str, np.ndarray]:
    return {
        "ece": expected_calibration_error(films),
        "slope": calibration_slope(films),
        "intercept": calibration_in_the_large(films),
    }


def _bin_sums(films: Tally) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns films, positives and the sum of probabilities, [B, BINS] each.

    A bin holds its lower bound, and the last one its upper bound too.
    """
    scores = films.scores.astype(np.float64)
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    member = np.eye(BINS)[place]
    number = films.positives + films.negatives
    return number @ member, films.positives @ member, (number * scores) @ member


def expected_calibration_error(films: Tally) -> np.ndarray:
    """Returns the mean over films of |observed share - mean probability| of their bin, [B].

    With bins of equal width (Naeini et al. 2015, AAAI).
    """
    number, positives, probability = _bin_sums(films)
    return ratio(np.abs(positives - probability).sum(axis=1), number.sum(axis=1))


def reliability_bins(films: Tally) -> list[ReliabilityBin]:
    """Returns the bins that hold films, of the first resample, with Wilson intervals."""
    number, positives, probability = (sums[0] for sums in _bin_sums(films))
    return [
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            films=int(number[place]),
            mean_probability=float(probability[place] / number[place]),
            observed=float(positives[place] / number[place]),
            interval=wilson_interval(int(positives[place]), int(number[place])),
        )
        for place in range(BINS)
        if number[place]
    ]


def calibration_slope(films: Tally) -> np.ndarray:
    """Returns the slope of logistic recalibration, [B] (Cox 1958, Biometrika 45:562-565).

    The maximum likelihood slope b of logit P(y = 1) = a + b logit(p): 1 if the spread of the
    probabilities is right, less if they are too extreme. NaN where there is no maximum: one class
    only, or scores that separate the classes (Albert & Anderson 1984).
    """
    # Each score once as a pneumonia and once as a normal film, weighing as many as there are.
    odds = np.tile(log_odds(films.scores), 2)[:, np.newaxis]
    labels = np.repeat([1, 0], films.scores.size)
    weights = np.hstack([films.positives, films.negatives])
    slopes = np.full(len(weights), np.nan)
    for row in np.flatnonzero(_overlapping(films)):
        there = weights[row] > 0
        model = LogisticRegression(penalty=None, solver="newton-cholesky", tol=_TOLERANCE)
        model.fit(odds[there], labels[there], weights[row, there])
        slopes[row] = model.coef_[0, 0]
    return slopes


def _overlapping(films: Tally) -> np.ndarray:
    """Says of each resample, [B], whether each class has a film scored above one of the other."""
    places = np.arange(films.scores.size)
    lowest, highest = {}, {}
    for name, counts in (("positive", films.positives), ("negative", films.negatives)):
        lowest[name] = np.where(counts > 0, places, places.size).min(axis=1)
        highest[name] = np.where(counts > 0, places, -1).max(axis=1)
    return (lowest["positive"] < highest["negative"]) & (lowest["negative"] < highest["positive"])


def calibration_in_the_large(films: Tally) -> np.ndarray:
    """Returns the intercept a of logit P(y = 1) = a + logit(p), [B] (Cox 1958).

    0 if the probabilities are right on average, more if they are too low. NaN where a class is
    missing.
    """
    odds, number = log_odds(films.scores), films.positives + films.negatives
    share = ratio(films.positives.sum(axis=1), number.sum(axis=1))
    intercepts = np.full(len(number), np.nan)
    for row in np.flatnonzero((share > 0.0) & (share < 1.0)):

        def excess(intercept: float, row: int = row) -> float:
            """The mean probability less the share of pneumonias."""
            fitted = expit(intercept + odds)
            return float(np.average(fitted, weights=number[row]) - share[row])

        # At either end all probabilities are on one side of the share.
        middle = logit(share[row])
        low, high = middle - odds.max() - 1.0, middle - odds.min() + 1.0
        intercepts[row] = brentq(excess, low, high, xtol=_TOLERANCE)
    return intercepts
