import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from components.evaluator.metrics import bootstrap_intervals
from components.shared.statistics import bootstrap as module
from components.shared.statistics.bootstrap import (
    Bootstrap,
    Sample,
    percentile_band,
    percentile_interval,
)
from components.shared.statistics.metrics import RATES, measured
from components.shared.statistics.tally import Tally, auc


def auc_alone(films: Tally) -> dict[str, np.ndarray]:
    return {"auc": auc(films)}


def own_patients(number: int) -> np.ndarray:
    return np.array([f"p{film}" for film in range(number)])


def random_sample(seed: int, number: int) -> Sample:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    return Sample(labels, rng.normal(labels * 1.2, 1.0), own_patients(number))


def delong_interval(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float, float]:
    """AUC and its 95 % interval (DeLong, DeLong & Clarke-Pearson 1988), pair by pair."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    area = wins.mean()
    variance = np.var(wins.mean(axis=1), ddof=1) / positives.size
    variance += np.var(wins.mean(axis=0), ddof=1) / negatives.size
    half = norm.ppf(0.975) * math.sqrt(variance)
    return area, area - half, area + half


def test_auc_and_its_interval_are_delongs() -> None:
    sample = random_sample(5, 500)
    area, low, high = delong_interval(sample.labels, sample.scores)
    assert sample.value(auc_alone)["auc"] == pytest.approx(area)
    found = Bootstrap(2000, seed=1).intervals(sample, auc_alone)["auc"]
    assert found == pytest.approx([low, high], abs=0.004)


def test_interval_of_a_proportion_is_the_binomial_one() -> None:
    rng = np.random.default_rng(3)
    labels = np.ones(400, int)
    labels[:50] = 0
    scores = np.where(rng.random(400) < 0.9, 0.8, 0.2)
    sample = Sample(labels, scores, own_patients(400))
    found = bootstrap_intervals(sample, 0.5, Bootstrap(2000, seed=1))
    recall = (scores[50:] >= 0.5).mean()
    half = 1.96 * math.sqrt(recall * (1 - recall) / 350)
    assert found["recall"] == pytest.approx([recall - half, recall + half], abs=0.006)


def test_films_of_one_patient_are_drawn_together() -> None:
    alone = random_sample(4, 60)
    # The same films ten times over, by the same patients: nothing more is known.
    ten = Sample(*(np.tile(values, 10) for values in alone))
    draws = Bootstrap(1000, seed=1)
    found = bootstrap_intervals(ten, 0.5, draws)
    assert found == {
        name: pytest.approx(interval)
        for name, interval in bootstrap_intervals(alone, 0.5, draws).items()
    }


def test_resamples_hold_as_many_patients_as_there_are_with_all_their_films() -> None:
    patients = np.array(["a", "b", "b", "c", "c", "c"])
    (weights,) = Bootstrap(500, seed=1).weights(patients)
    assert weights.shape == (500, 6)
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 5])
    assert set(weights[:, [0, 1, 3]].sum(axis=1)) == {3}
    # A patient is drawn once a resample on average: within four standard errors.
    assert weights[:, 0].mean() == pytest.approx(1.0, abs=4 * math.sqrt(2 / 3 / 500))


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = random_sample(6, 40)
    whole = Bootstrap(100, seed=1).distribution(sample, auc_alone)["auc"]
    monkeypatch.setattr(module, "_BLOCK", 40 * 7)
    blocks = Bootstrap(100, seed=1).distribution(sample, auc_alone)["auc"]
    assert blocks.shape == (100,)
    np.testing.assert_array_equal(whole, blocks)


# 60 patients with 5 films each. A film's score is its patient's part plus its own, each with half
# of the variance, so that the share of films above 0.3 is known.
_PATIENTS, _FILMS, _CUT = 60, 5, 0.3
_TRUE_RECALL = float(norm.sf(_CUT))


def covered(simulation: int, patients_of: Callable[[np.ndarray], np.ndarray]) -> bool:
    rng = np.random.default_rng(simulation)
    patient = np.repeat(np.arange(_PATIENTS), _FILMS)
    scores = rng.normal(0.0, math.sqrt(0.5), _PATIENTS)[patient]
    scores = scores + rng.normal(0.0, math.sqrt(0.5), patient.size)
    sample = Sample(np.ones(patient.size, int), scores, patients_of(patient))
    draws = Bootstrap(300, seed=simulation)
    low, high = draws.intervals(sample, lambda films: measured(films, _CUT, RATES))["recall"]
    return low <= _TRUE_RECALL <= high


def test_intervals_cover_the_truth_where_patients_are_drawn_and_not_where_films_are() -> None:
    by_patient = np.mean([covered(number, lambda patient: patient) for number in range(200)])
    by_film = np.mean(
        [covered(number, lambda patient: np.arange(patient.size)) for number in range(200)]
    )
    # Of 200 simulations, 95 % plus or minus three standard errors of 1.5 %.
    assert 0.90 <= by_patient <= 0.995
    assert by_film < 0.88


def test_two_thousand_resamples_of_all_metrics_take_no_two_seconds() -> None:
    sample = random_sample(9, 624)
    start = time.process_time()
    bootstrap_intervals(sample, 0.5, Bootstrap(2000, seed=1))
    assert time.process_time() - start < 2.0


def test_ends_are_the_percentiles_in_order() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1001.0))
    assert percentile_interval(values) == (25.0, 975.0)


def test_an_undefined_resample_is_left_out() -> None:
    assert percentile_interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(percentile_interval(np.array([np.nan, np.nan]))).all()


def test_a_band_is_the_interval_of_every_point() -> None:
    curves = np.linspace(0.0, 1.0, 101)[:, np.newaxis] * [1.0, 2.0]
    low, high = percentile_band(curves)
    assert low == pytest.approx([0.025, 0.05])
    assert high == pytest.approx([0.975, 1.95])


def test_metrics_of_resamples_are_those_of_the_repeated_films() -> None:
    sample = random_sample(10, 50)
    drawn = Bootstrap(3, seed=2).distribution(sample, lambda films: measured(films, 0.5))
    (weights,) = Bootstrap(3, seed=2).weights(sample.patients)
    for row, times in enumerate(weights):
        repeated = Sample(*(np.repeat(values, times) for values in sample))
        expected = repeated.value(lambda films: measured(films, 0.5))
        assert {name: values[row] for name, values in drawn.items()} == pytest.approx(expected)
