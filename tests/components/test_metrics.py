import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from components.evaluator.cohorts import STREAM_SLICE, SUBTYPE_SLICE, cohorts
from components.evaluator.metrics import (
    _weighted_auc,
    binary_metrics,
    bootstrap_intervals,
    slice_metrics,
)


def test_by_hand() -> None:
    found = binary_metrics(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.6, 0.2, 0.5, 0.4]), 0.5)
    assert found["confusion_matrix"] == {"tn": 2, "fp": 1, "fn": 1, "tp": 1}
    assert found["recall"] == 0.5
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(3 / 5)
    # Of the six pairs, 0.5 beats 0.1 and 0.2, and so does 0.4: four are in order.
    assert found["auc"] == pytest.approx(4 / 6)


def test_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    scores = np.round(rng.random(200) * 0.6 + labels * 0.3 + 0.01, 2)
    decided = scores.astype(np.float32) >= np.float32(0.5)
    found = binary_metrics(labels, scores, 0.5)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, decided))
    assert found["recall"] == pytest.approx(recall_score(labels, decided))
    assert found["specificity"] == pytest.approx(recall_score(1 - labels, ~decided))
    assert found["precision"] == pytest.approx(precision_score(labels, decided))
    assert found["f1"] == pytest.approx(f1_score(labels, decided))
    assert found["loss"] == pytest.approx(log_loss(labels, scores))


def test_the_threshold_itself_is_positive_as_float32() -> None:
    # As a double, 0.1 is less than the float32 0.1 that the model holds.
    assert binary_metrics(np.array([1]), np.array([0.1]), 0.1)["confusion_matrix"]["tp"] == 1


def test_what_is_undefined_is_not_a_number() -> None:
    found = binary_metrics(np.array([1, 1]), np.array([0.1, 0.2]), 0.5)
    assert math.isnan(found["auc"])
    assert math.isnan(found["specificity"])
    assert math.isnan(found["precision"])
    assert found["recall"] == 0.0


def test_weighted_auc_is_the_auc_of_repeated_films() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 80).astype(bool)
    scores = np.round(rng.random(80) + labels * 0.4, 1)
    weights = rng.integers(0, 4, 80)
    place = np.unique(scores, return_inverse=True)[1]
    expected = roc_auc_score(np.repeat(labels, weights), np.repeat(scores, weights))
    assert _weighted_auc(labels, place, weights) == pytest.approx(expected)


def test_interval_of_a_proportion_is_the_binomial_one() -> None:
    rng = np.random.default_rng(3)
    labels = np.ones(400, int)
    labels[:50] = 0
    scores = np.where(rng.random(400) < 0.9, 0.8, 0.2)
    patients = [f"p{i}" for i in range(400)]
    found = bootstrap_intervals(labels, scores, patients, 0.5, 2000, seed=1)
    recall = (scores[50:] >= 0.5).mean()
    half = 1.96 * math.sqrt(recall * (1 - recall) / 350)
    assert found["recall"] == pytest.approx([recall - half, recall + half], abs=0.006)


def test_films_of_one_patient_are_drawn_together() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 60)
    scores = rng.random(60)
    alone = bootstrap_intervals(labels, scores, [f"p{i}" for i in range(60)], 0.5, 1000, seed=1)
    # The same films ten times over, by the same patients: nothing more is known.
    ten = bootstrap_intervals(
        np.tile(labels, 10), np.tile(scores, 10), [f"p{i}" for i in range(60)] * 10, 0.5, 1000, 1
    )
    assert ten == {name: pytest.approx(interval) for name, interval in alone.items()}


def test_intervals_are_seeded_and_survive_one_class() -> None:
    arguments = (np.array([1, 1, 1]), np.array([0.9, 0.8, 0.2]), ["a", "b", "c"], 0.5, 100)
    found = bootstrap_intervals(*arguments, seed=1)
    assert found["recall"] == bootstrap_intervals(*arguments, seed=1)["recall"]
    assert all(math.isnan(bound) for bound in found["auc"])


def test_a_slice_has_all_films_of_the_other_class() -> None:
    labels = [0, 0, 1, 1, 1]
    members = cohorts(
        labels,
        ["normal", "normal", "bacteria", "virus", "virus"],
        ["IM-0001", "NORMAL2-IM-0001", "person1_bacteria", "person1_virus", "person2_virus"],
    )
    assert members[0] == {SUBTYPE_SLICE: ["bacteria", "virus"], STREAM_SLICE: ["IM"]}
    assert members[2] == {SUBTYPE_SLICE: ["bacteria"], STREAM_SLICE: ["IM", "NORMAL2-IM"]}
    scores = np.array([0.2, 0.5, 0.4, 0.9, 0.6])
    found = slice_metrics(np.array(labels), scores, members, 0.5)
    assert found[SUBTYPE_SLICE]["bacteria"]["films"] == 3
    assert found[SUBTYPE_SLICE]["bacteria"]["auc"] == 0.5
    assert found[SUBTYPE_SLICE]["virus"]["auc"] == 1.0
    assert found[STREAM_SLICE]["IM"]["specificity"] == 1.0
    assert found[STREAM_SLICE]["NORMAL2-IM"]["specificity"] == 0.0
