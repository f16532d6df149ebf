import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from components.evaluator.calibration import (
    calibration,
    calibration_in_the_large,
    calibration_slope,
    expected_calibration_error,
    reliability_bins,
)
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.proportions import wilson_interval
from components.shared.statistics.tally import tally


def slope(labels: ArrayLike, scores: ArrayLike) -> float:
    return float(calibration_slope(tally(np.array(labels), np.array(scores)))[0])


def intercept(labels: ArrayLike, scores: ArrayLike) -> float:
    return float(calibration_in_the_large(tally(np.array(labels), np.array(scores)))[0])


def distorted(seed: int, true_slope: float, true_intercept: float, number: int = 20_000) -> Sample:
    """Films whose log odds of pneumonia are a straight line of those that they are given."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0.3, 1.5, number)
    labels = (rng.random(number) < expit(true_intercept + true_slope * log_odds)).astype(int)
    patients = np.array([f"p{film // 2}" for film in range(number)])
    return Sample(labels, expit(log_odds), patients)


def test_calibration_error_by_hand() -> None:
    films = tally(np.array([0, 1, 1, 1, 0]), np.array([0.02, 0.06, 0.85, 0.81, 0.86]))
    # In [0, 0.1): 1 of 2 at a mean of 0.04. In [0.8, 0.9): 2 of 3 at a mean of 0.84.
    expected = 2 / 5 * abs(1 / 2 - 0.04) + 3 / 5 * abs(2 / 3 - 0.84)
    assert expected_calibration_error(films)[0] == pytest.approx(expected)
    first, last = reliability_bins(films)
    assert (first.low, first.high, first.films, first.observed) == (0.0, 0.1, 2, 0.5)
    assert first.mean_probability == pytest.approx(0.04)
    assert last.mean_probability == pytest.approx(0.84)
    assert last.observed == pytest.approx(2 / 3)
    assert last.interval == wilson_interval(2, 3)


def test_a_bin_holds_its_lower_bound_and_the_last_its_upper_too() -> None:
    bins = reliability_bins(tally(np.array([0, 1, 1]), np.array([0.5, 0.9, 1.0])))
    assert [(b.low, b.films) for b in bins] == [(0.5, 1), (0.9, 2)]


@pytest.mark.parametrize("seed", range(3))
def test_slope_is_scikit_learns(seed: int) -> None:
    sample = distorted(seed, 0.6, -0.4, number=400)
    unpenalised = LogisticRegression(penalty=None, tol=1e-10, max_iter=1000)
    expected = unpenalised.fit(logit(sample.scores)[:, None], sample.labels).coef_[0, 0]
    found = calibration_slope(tally(sample.labels, sample.scores))[0]
    assert found == pytest.approx(expected, rel=1e-5)


def test_slope_of_a_resample_is_that_of_its_films() -> None:
    sample = distorted(4, 1.3, 0.2, number=300)
    weights = np.random.default_rng(5).integers(0, 3, (2, 300))
    found = calibration_slope(tally(sample.labels, sample.scores, weights))
    large = calibration_in_the_large(tally(sample.labels, sample.scores, weights))
    for row, times in enumerate(weights):
        labels, scores = np.repeat(sample.labels, times), np.repeat(sample.scores, times)
        assert found[row] == pytest.approx(slope(labels, scores))
        assert large[row] == pytest.approx(intercept(labels, scores))


def test_intercept_makes_the_mean_probability_the_observed_share() -> None:
    sample = distorted(6, 1.0, 0.7, number=500)
    found = calibration_in_the_large(tally(sample.labels, sample.scores))[0]
    assert expit(found + logit(sample.scores)).mean() == pytest.approx(sample.labels.mean())


def test_a_known_distortion_is_found_again_inside_the_intervals() -> None:
    sample = distorted(7, 0.6, 0.0)
    found = calibration(sample, Bootstrap(200, seed=1))
    assert found.slope == pytest.approx(0.6, abs=0.03)
    assert found.brier == pytest.approx(brier_score_loss(sample.labels, sample.scores))
    assert found.ece_bins == 10
    assert sum(row.films for row in found.bins) == 20_000
    assert set(found.intervals) == {"ece", "slope", "intercept"}
    for name, (low, high) in found.intervals.items():
        assert low < getattr(found, name) < high
        assert high - low < 0.2


def test_right_probabilities_have_slope_one_and_intercept_zero() -> None:
    found = calibration(distorted(8, 1.0, 0.0), Bootstrap(200, seed=1))
    low, high = found.intervals["slope"]
    assert low < 1.0 < high
    low, high = found.intervals["intercept"]
    assert low < 0.0 < high
    assert found.ece < 0.02


def test_saturated_probabilities_are_finite() -> None:
    labels, scores = [0, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0, 0.7, 0.4]
    assert math.isfinite(slope(labels, scores))
    assert math.isfinite(intercept(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3]),  # one class
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # the classes lie apart
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9]),  # they touch in one score
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]),  # no spread
    ],
)
def test_no_slope_where_the_likelihood_has_no_maximum(
    labels: list[int], scores: list[float]
) -> None:
    assert math.isnan(slope(labels, scores))


def test_no_intercept_of_one_class() -> None:
    assert math.isnan(intercept([0, 0], [0.2, 0.4]))
    # Of constant scores there is one: from an even chance to three in four.
    assert intercept([0, 1, 1, 1], [0.5] * 4) == pytest.approx(math.log(3))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_not_a_crash(label: int) -> None:
    sample = Sample(np.full(4, label), np.array([0.1, 0.2, 0.2, 0.9]), np.array(list("aabc")))
    found = calibration(sample, Bootstrap(100, seed=1))
    assert math.isnan(found.slope)
    assert math.isnan(found.intercept)
    assert math.isfinite(found.ece)
    assert np.isnan(found.intervals["slope"]).all()


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857-872, table I.
        (81, 263, [0.2553, 0.3662]),
        (15, 148, [0.0624, 0.1605]),
        (0, 20, [0.0, 0.1611]),
        (1, 29, [0.0061, 0.1718]),
    ],
)
def test_wilson_against_published_values(count: int, total: int, expected: list[float]) -> None:
    assert wilson_interval(count, total) == pytest.approx(expected, abs=5e-5)


def test_wilson_of_no_film_is_undefined() -> None:
    assert np.isnan(wilson_interval(0, 0)).all()
