import math
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from components.evaluator.changes import Change
from components.evaluator.inference import Pass
from components.evaluator.stress import choose_films, stress
from components.films.picture import decode_grey
from components.shared.statistics.bootstrap import Bootstrap, Sample
from support.films import encode, tiny_film

BOOTSTRAP = Bootstrap(200, seed=1)


# Twenty normal patients of one film, ten with pneumonia of three films each.
PATIENTS = [*(f"n{film}" for film in range(20)), *(f"p{film // 3}" for film in range(30))]
LABELS = np.array([0] * 20 + [1] * 30)


def test_films_of_whole_patients_are_chosen_and_enough_of_each_class() -> None:
    chosen = choose_films(PATIENTS, LABELS, 7, seed=1)
    assert chosen.dtype == bool
    # Of three films a patient, seven are of three patients.
    assert chosen[:20].sum() == 7
    assert chosen[20:].sum() == 9
    for start in range(20, 50, 3):
        assert chosen[start : start + 3].sum() in (0, 3)


def test_the_choice_is_of_the_seed_and_not_of_the_order_of_films() -> None:
    first, second = (choose_films(PATIENTS, LABELS, 7, seed) for seed in (1, 2))
    assert (first != second).any()
    order = np.random.default_rng(3).permutation(50)
    mixed = choose_films([PATIENTS[row] for row in order], LABELS[order], 7, seed=1)
    np.testing.assert_array_equal(mixed, first[order])


def test_all_films_are_chosen_where_there_are_few_or_where_all_are_asked_for() -> None:
    assert choose_films(PATIENTS, LABELS, None, seed=1).all()
    assert choose_films(PATIENTS, LABELS, 1000, seed=1).all()
    few = choose_films(PATIENTS, LABELS, 25, seed=1)
    assert few[:20].all()
    assert few[20:].sum() == 27


def test_a_patient_with_films_of_both_classes_is_chosen_whole() -> None:
    chosen = choose_films(["a", "a", "b", "b", "c", "c"], np.array([0, 1, 0, 1, 0, 1]), 1, seed=1)
    assert sorted(chosen.reshape(3, 2).sum(axis=1)) == [0, 0, 2]


def test_of_one_class_the_films_of_that_class_are_chosen() -> None:
    assert choose_films(["a", "b", "c"], np.array([1, 1, 1]), 2, seed=1).sum() == 2


def sample(scores: Sequence[float]) -> Sample:
    """Three normal films, then three with pneumonia."""
    return Sample(
        np.array([0, 0, 0, 1, 1, 1]), np.array(scores, np.float32), np.array(list("abcdef"))
    )


DARKER, TURNED = (Change(kind, "much", lambda film: film) for kind in ("darker", "turned"))


def test_metrics_by_hand_for_each_change() -> None:
    as_it_is = sample([0.1, 0.2, 0.6, 0.4, 0.8, 0.9])
    changed = {
        DARKER: sample([0.1, 0.2, 0.3, 0.2, 0.3, 0.9]),
        TURNED: sample([0.6, 0.7, 0.1, 0.8, 0.8, 0.9]),
    }
    found = stress(as_it_is, changed, 0.5, BOOTSTRAP)
    assert (found.films, found.patients) == (6, 6)
    assert found.unchanged.value("recall") == pytest.approx(2 / 3)
    assert found.unchanged.value("specificity") == pytest.approx(2 / 3)
    darker, turned = found.changes
    assert (darker.kind, darker.strength) == ("darker", "much")
    assert darker.value("recall") == pytest.approx(1 / 3)
    assert darker.value("specificity") == 1.0
    assert turned.value("recall") == 1.0
    assert turned.value("specificity") == pytest.approx(1 / 3)
    # Both have a balanced accuracy of (1 + 1/3) / 2.
    assert found.lowest == pytest.approx(2 / 3)
    assert found.mean == pytest.approx(2 / 3)


def test_metrics_are_scikit_learns_and_intervals_hold_them() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 80)
    films = [
        Sample(labels, (rng.random(80) * 0.7 + 0.3 * labels).astype(np.float32), np.arange(80) // 2)
        for _ in range(3)
    ]
    found = stress(films[0], {DARKER: films[1], TURNED: films[2]}, 0.55, BOOTSTRAP)
    assert found.patients == 40
    values = []
    for measured, given in zip([found.unchanged, *found.changes], films, strict=True):
        called = given.scores >= np.float32(0.55)
        assert measured.value("auc") == pytest.approx(roc_auc_score(labels, given.scores))
        values.append(balanced_accuracy_score(labels, called))
        assert measured.value("balanced_accuracy") == pytest.approx(values[-1])
        for name in ("auc", "recall", "specificity", "balanced_accuracy"):
            low, high = measured.intervals[name]
            assert low < measured.value(name) < high
    assert found.lowest == pytest.approx(min(values[1:]))
    assert found.mean == pytest.approx(np.mean(values[1:]))


def test_one_class_has_no_balanced_accuracy() -> None:
    one = Sample(np.zeros(4, int), np.array([0.1, 0.2, 0.6, 0.7], np.float32), np.arange(4))
    found = stress(one, {DARKER: one}, 0.5, BOOTSTRAP)
    assert found.changes[0].value("specificity") == 0.5
    assert math.isnan(found.lowest)
    assert math.isnan(found.mean)


def record(name: str, film: np.ndarray) -> bytes:
    feature = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in (("file_name", name.encode()), ("image", encode(film, ".png")))
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def read(example: bytes) -> tuple[str, np.ndarray]:
    feature = tf.train.Example.FromString(example).features.feature
    return (
        feature["file_name"].bytes_list.value[0].decode(),
        decode_grey(feature["image"].bytes_list.value[0]),
    )


def test_a_pass_changes_the_film_and_keeps_the_rest() -> None:
    film = tiny_film(1)
    wanted = Pass(
        "uri", {"test": None, "inverted": lambda film: 255 - film, "cut": lambda film: film[:9]}
    )
    as_it_came = record("a.png", film)
    found = dict(wanted.films(as_it_came))
    assert list(found) == ["test", "inverted", "cut"]
    assert found["test"] == as_it_came
    expected = {"test": film, "inverted": 255 - film, "cut": film[:9]}
    for name, example in found.items():
        file_name, pixels = read(example)
        assert file_name == "a.png"
        np.testing.assert_array_equal(pixels, expected[name])


def test_a_pass_leaves_out_films_that_are_not_wanted() -> None:
    wanted = Pass("uri", {"test": None}, frozenset({"b.png"}))
    assert list(wanted.films(record("a.png", tiny_film(1)))) == []
    assert len(list(wanted.films(record("b.png", tiny_film(1))))) == 1
