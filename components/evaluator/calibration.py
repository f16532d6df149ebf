"""Is a probability what it says? Brier score, reliability bins, recalibration."""

from typing import Any

import numpy as np
from scipy.special import expit

from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.proportions import wilson_interval
from components.shared.statistics.tally import Tally, brier, log_odds, ratio, tally

BINS = 10
_STEPS = 50
# Log odds that one Newton step may move: far from the optimum the curvature misleads.
_LONGEST_STEP = 4.0
_CONVERGED = 1e-8


def calibration(sample: Sample, bootstrap: Bootstrap) -> dict[str, Any]:
    """Returns how well the probabilities are calibrated.

    Returns:
        `brier`; `ece`, `ece_bins`; `bins`, those that hold films, each with its bounds `low` and
        `high`, `films`, `mean_probability`, the share `observed` and its Wilson `interval`;
        `slope` and `intercept` of recalibration; `intervals` of `ece`, `slope` and `intercept`.
        The bootstrap interval of a calibration error lies high: noise is error to it.
    """
    value = sample.value(_measures)
    return {
        "brier": float(sample.value(lambda films: {"brier": brier(films)})["brier"]),
        **{name: float(number) for name, number in value.items()},
        "ece_bins": BINS,
        "bins": reliability_bins(tally(sample.labels, sample.scores)),
        "intervals": bootstrap.intervals(sample, _measures),
    }


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


def reliability_bins(films: Tally) -> list[dict[str, Any]]:
    """Returns the bins that hold films, of the first resample; see `calibration`."""
    number, positives, probability = (sums[0] for sums in _bin_sums(films))
    return [
        {
            "low": place / BINS,
            "high": (place + 1) / BINS,
            "films": int(number[place]),
            "mean_probability": float(probability[place] / number[place]),
            "observed": float(positives[place] / number[place]),
            "interval": wilson_interval(int(positives[place]), int(number[place])),
        }
        for place in range(BINS)
        if number[place]
    ]


def calibration_slope(films: Tally) -> np.ndarray:
    """Returns the slope of logistic recalibration, [B] (Cox 1958, Biometrika 45:562-565).

    The maximum likelihood slope b of logit P(y = 1) = a + b logit(p): 1 if the spread of the
    probabilities is right, less if they are too extreme. NaN where there is no maximum: one class
    only, or scores that separate the classes (Albert & Anderson 1984).
    """
    odds, number = log_odds(films.scores), films.positives + films.negatives
    # Newton converges fast where the covariate has mean 0 and spread 1; the slope is scaled back.
    spread = odds.std() or 1.0
    x = (odds - odds.mean()) / spread
    offset, slope = np.zeros(len(number)), np.zeros(len(number))
    solvable = _overlapping(films)
    step = np.full(len(number), np.inf)
    for _ in range(_STEPS):
        fitted = expit(offset[:, np.newaxis] + slope[:, np.newaxis] * x)
        residual, weight = films.positives - number * fitted, number * fitted * (1.0 - fitted)
        g0, g1 = residual.sum(axis=1), residual @ x
        h00, h01, h11 = weight.sum(axis=1), weight @ x, weight @ x**2
        determinant = h00 * h11 - h01**2
        move = np.array([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0])
        move = np.clip(np.nan_to_num(ratio(move, determinant)), -_LONGEST_STEP, _LONGEST_STEP)
        offset, slope = offset + move[0], slope + move[1]
        step = np.abs(move).max(axis=0)
        if (step[solvable] < _CONVERGED).all():
            break
    return np.where(solvable & (step < _CONVERGED), slope / spread, np.nan)


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
    positives = films.positives.sum(axis=1)
    solvable = (positives > 0) & (positives < number.sum(axis=1))
    intercept, move = np.zeros(len(number)), np.full(len(number), np.inf)
    for _ in range(_STEPS):
        fitted = expit(intercept[:, np.newaxis] + odds)
        slope = (number * fitted * (1.0 - fitted)).sum(axis=1)
        move = ratio(positives - (number * fitted).sum(axis=1), slope)
        move = np.clip(np.nan_to_num(move), -_LONGEST_STEP, _LONGEST_STEP)
        intercept = intercept + move
        if (np.abs(move[solvable]) < _CONVERGED).all():
            break
    return np.where(solvable & (np.abs(move) < _CONVERGED), intercept, np.nan)
