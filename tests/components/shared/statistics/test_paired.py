"""Differences of two models on the same films."""

import numpy as np
import pytest

from components.shared.statistics import paired
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.paired import Difference, Reading

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0])
PATIENTS = [f"patient-{number}" for number in range(8)]
DRAWS = Bootstrap(500, seed=1)
BETTER = Reading(np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1]), 0.5)


def differences(
    labels: np.ndarray, patients: list[str], reading: Reading, reference: Reading
) -> dict[str, Difference]:
    return paired.differences(labels, patients, reading, reference, DRAWS)


def test_differences_by_hand() -> None:
    # One pneumonia below all normals (12 of 16 pairs in order), one normal called.
    worse = Reading(np.array([0.9, 0.8, 0.7, 0.05, 0.6, 0.3, 0.2, 0.1]), 0.5)
    found = differences(LABELS, PATIENTS, BETTER, worse)
    assert found["auc"].value == pytest.approx(1 - 12 / 16)
    assert found["recall"].value == pytest.approx(0.25)
    assert found["specificity"].value == pytest.approx(0.25)
    assert found["balanced_accuracy"].value == pytest.approx(0.25)
    for difference in found.values():
        low, high = difference.interval
        assert low <= difference.value <= high


def test_threshold_of_each_is_its_own() -> None:
    moved = Reading(BETTER.scores, 0.75)
    found = differences(LABELS, PATIENTS, moved, BETTER)
    assert found["recall"].value == pytest.approx(-0.5)
    assert found["specificity"].value == 0
    assert found["auc"] == (0, (0, 0))


def test_same_model_has_no_difference_whatever_is_drawn() -> None:
    for difference in differences(LABELS, PATIENTS, BETTER, BETTER).values():
        assert difference == (0, (0, 0))


def test_patients_are_drawn_with_all_their_films() -> None:
    """Forty alike films of one patient say no more than one does."""
    labels = np.repeat(LABELS, 40)
    other = Reading(np.array([0.9, 0.8, 0.7, 0.05, 0.4, 0.3, 0.2, 0.1]), 0.5)
    once = differences(LABELS, PATIENTS, BETTER, other)
    often = differences(
        labels,
        np.repeat(PATIENTS, 40).tolist(),
        Reading(np.repeat(BETTER.scores, 40), 0.5),
        Reading(np.repeat(other.scores, 40), 0.5),
    )
    for name in once:
        assert often[name].interval == pytest.approx(once[name].interval)


def test_one_class_has_no_auc() -> None:
    found = differences(np.ones(8, int), PATIENTS, BETTER, BETTER)
    assert np.isnan(found["auc"].value)
    assert np.isnan(found["auc"].interval).all()
    assert found["recall"].value == 0


def test_the_draws_are_of_the_seed() -> None:
    worse = Reading(np.array([0.9, 0.8, 0.7, 0.05, 0.6, 0.3, 0.2, 0.1]), 0.5)
    first, again, other = (
        paired.differences(LABELS, PATIENTS, BETTER, worse, Bootstrap(100, seed))["auc"].interval
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
