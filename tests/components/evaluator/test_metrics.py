import math
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from components.evaluator.cohorts import cohorts, film_count_cohorts, size_cohorts
from components.evaluator.metrics import binary_metrics, bootstrap_intervals, slice_metrics
from components.shared.artifacts import FILMS_SLICE, SIZE_SLICE, STREAM_SLICE, SUBTYPE_SLICE
from components.shared.result import ConfusionMatrix
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.metrics import METRICS


def sizes(*pixels: int) -> list[str]:
    return [kinds[SIZE_SLICE][0] for kinds in size_cohorts(np.array(pixels))]


def test_by_hand() -> None:
    found = binary_metrics(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.6, 0.2, 0.5, 0.4]), 0.5)
    assert found.confusion_matrix == ConfusionMatrix(tn=2, fp=1, fn=1, tp=1)
    assert found.value("recall") == 0.5
    assert found.value("specificity") == pytest.approx(2 / 3)
    assert found.value("accuracy") == pytest.approx(3 / 5)
    # Of the six pairs, 0.5 beats 0.1 and 0.2, and so does 0.4: four are in order.
    assert found.value("auc") == pytest.approx(4 / 6)


def test_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    scores = np.round(rng.random(200) * 0.6 + labels * 0.3 + 0.01, 2)
    decided = scores.astype(np.float32) >= np.float32(0.5)
    found = binary_metrics(labels, scores, 0.5)
    assert found.value("auc") == pytest.approx(roc_auc_score(labels, scores))
    assert found.value("accuracy") == pytest.approx(accuracy_score(labels, decided))
    assert found.value("recall") == pytest.approx(recall_score(labels, decided))
    assert found.value("specificity") == pytest.approx(recall_score(1 - labels, ~decided))
    assert found.value("precision") == pytest.approx(precision_score(labels, decided))
    assert found.value("f1") == pytest.approx(f1_score(labels, decided))
    assert found.value("loss") == pytest.approx(log_loss(labels, scores))
    assert found.value("balanced_accuracy") == pytest.approx(
        balanced_accuracy_score(labels, decided)
    )
    assert found.value("average_precision") == pytest.approx(
        average_precision_score(labels, scores)
    )
    assert found.value("brier") == pytest.approx(brier_score_loss(labels, scores))
    assert found.values.keys() == METRICS.keys()


def test_loss_of_certain_scores_is_scikit_learns() -> None:
    labels, scores = np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 0.0, 1e-12])
    expected = log_loss(labels, scores)
    assert binary_metrics(labels, scores, 0.5).value("loss") == pytest.approx(expected)


def test_the_threshold_itself_is_positive_as_float32() -> None:
    # As a double, 0.1 is less than the float32 0.1 that the model holds.
    assert binary_metrics(np.array([1]), np.array([0.1]), 0.1).confusion_matrix.tp == 1


def test_what_is_undefined_is_not_a_number() -> None:
    found = binary_metrics(np.array([1, 1]), np.array([0.1, 0.2]), 0.5)
    assert math.isnan(found.value("auc"))
    assert math.isnan(found.value("specificity"))
    assert math.isnan(found.value("precision"))
    assert found.value("recall") == 0.0


def test_intervals_are_seeded_and_survive_one_class() -> None:
    sample = Sample(np.array([1, 1, 1]), np.array([0.9, 0.8, 0.2]), np.array(["a", "b", "c"]))
    found, again, other = (
        bootstrap_intervals(sample, 0.5, Bootstrap(100, seed)) for seed in (1, 1, 2)
    )
    assert found["recall"] == again["recall"]
    assert found["brier"] != other["brier"]
    assert all(math.isnan(bound) for bound in found["auc"])


def test_every_metric_has_an_interval_that_holds_it() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    scores = (rng.random(300) * 0.7 + labels * 0.3).astype(np.float32)
    sample = Sample(labels, scores, np.array([f"p{number // 2}" for number in range(300)]))
    found = bootstrap_intervals(sample, 0.5, Bootstrap(300, seed=1))
    metrics = binary_metrics(labels, scores, 0.5)
    assert metrics.values.keys() - found.keys() == {"loss"}
    for name, (low, high) in found.items():
        assert low < metrics.value(name) < high, name


def test_a_slice_has_all_films_of_the_other_class() -> None:
    labels = [0, 0, 1, 1, 1]
    patients = ["IM-0001", "NORMAL2-IM-0001", "person1_bacteria", "person1_virus", "person1_virus"]
    members = cohorts(labels, ["normal", "normal", "bacteria", "virus", "virus"], patients)
    assert members[0] == {SUBTYPE_SLICE: ["bacteria", "virus"], STREAM_SLICE: ["IM"]}
    assert members[2] == {SUBTYPE_SLICE: ["bacteria"], STREAM_SLICE: ["IM", "NORMAL2-IM"]}
    scores = np.array([0.2, 0.5, 0.4, 0.9, 0.6])
    sample = Sample(np.array(labels), scores, np.array(patients))
    found = slice_metrics(sample, members, 0.5, Bootstrap(100, seed=1))
    assert found[SUBTYPE_SLICE]["bacteria"].films == 3
    assert found[SUBTYPE_SLICE]["bacteria"].value("auc") == 0.5
    assert found[SUBTYPE_SLICE]["virus"].value("auc") == 1.0
    assert (found[SUBTYPE_SLICE]["virus"].films, found[SUBTYPE_SLICE]["virus"].patients) == (
        4,
        3,
    )
    assert found[SUBTYPE_SLICE]["virus"].intervals["recall"] == (1.0, 1.0)
    assert list(found[SUBTYPE_SLICE]["virus"].intervals) == ["auc", "recall", "specificity"]
    assert found[STREAM_SLICE]["IM"].value("specificity") == 1.0
    assert found[STREAM_SLICE]["NORMAL2-IM"].value("specificity") == 0.0


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ((30, 10, 20), ["large", "small", "middle"]),
        ((1, 2, 3, 4, 5, 6), ["small", "small", "middle", "middle", "large", "large"]),
        # The terciles are 7 and 7: films of one size stay together.
        ((1, 7, 7, 7, 9), ["small", "middle", "middle", "middle", "large"]),
        # The lower tercile is 7 and the upper 8.
        ((7, 7, 7, 8, 9, 9), ["middle", "middle", "middle", "middle", "large", "large"]),
        ((7, 7, 7), ["middle", "middle", "middle"]),
        ((7,), ["middle"]),
    ],
)
def test_films_are_small_middle_or_large(pixels: Sequence[int], expected: list[str]) -> None:
    assert sizes(*pixels) == expected


def test_a_patient_has_one_film_or_several() -> None:
    found = film_count_cohorts(["a", "b", "a", "c"])
    assert [kinds[FILMS_SLICE] for kinds in found] == [["several"], ["one"], ["several"], ["one"]]
