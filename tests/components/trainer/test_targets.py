import math
from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import log_loss

from components.shared.features import UNKNOWN_SUBTYPE
from components.trainer.targets import (
    LABEL_TARGET,
    SUBTYPE_TARGET,
    accuracy,
    encode,
    groups,
    loss,
    pneumonia_logit,
    target_classes,
)

THREE = ["normal", "bacteria", "virus"]
LABELS = np.array([0, 1, 1, 1, 0], np.int64)
SUBTYPES = ["normal", "virus", "bacteria", UNKNOWN_SUBTYPE, "normal"]
# What the films above may be: normal, virus, bacteria, either of the two, normal.
ENCODED = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("target", "subtypes", "classes"),
    [
        (SUBTYPE_TARGET, SUBTYPES, THREE),
        (LABEL_TARGET, SUBTYPES, ["pneumonia"]),
        (SUBTYPE_TARGET, ["normal", "virus", "virus", "unknown", "normal"], ["normal", "virus"]),
        (SUBTYPE_TARGET, ["normal", "unknown", "unknown", "unknown", "normal"], ["pneumonia"]),
        # What the name of a normal film says of pneumonia does not count.
        (SUBTYPE_TARGET, ["virus", "bacteria", "bacteria", "bacteria", "x"], THREE[:2]),
    ],
)
def test_classes_by_hand(target: str, subtypes: list[str], classes: list[str]) -> None:
    assert target_classes(target, LABELS, subtypes) == classes


def test_classes_do_not_follow_from_the_order_of_the_films() -> None:
    for order in permutations(range(4)):
        subtypes = [SUBTYPES[row] for row in order]
        assert target_classes(SUBTYPE_TARGET, LABELS[list(order)], subtypes) == THREE


def test_films_get_every_class_that_they_may_belong_to() -> None:
    found = encode(LABELS, SUBTYPES, THREE)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ENCODED)


def test_films_get_their_label_where_that_is_all_that_is_told() -> None:
    found = encode(LABELS, SUBTYPES, ["pneumonia"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0], [1], [1], [1], [0]])


def test_with_one_known_subtype_an_unknown_one_is_taken_for_it() -> None:
    found = encode(LABELS[2:], ["bacteria", "unknown", "normal"], ["normal", "bacteria"])
    np.testing.assert_array_equal(found, [[0, 1], [0, 1], [1, 0]])


def test_the_label_goes_before_the_subtype() -> None:
    found = encode(np.array([0, 0]), ["virus", UNKNOWN_SUBTYPE], THREE)
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 0, 0]])


def test_no_films_have_no_targets() -> None:
    assert encode(np.zeros(0, np.int64), [], THREE).shape == (0, 3)


def test_groups_are_the_classes_the_normal_films_first() -> None:
    target = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], np.float32)
    assert [rows.tolist() for rows in groups(target)] == [[1, 4], [0, 3], [2]]
    label_groups = groups(encode(LABELS, SUBTYPES, ["pneumonia"]))
    assert [rows.tolist() for rows in label_groups] == [[0, 4], [1, 2, 3]]


def test_unknown_subtypes_go_with_the_largest_known_one() -> None:
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 1]], np.float32)
    assert [rows.tolist() for rows in groups(target)] == [[0], [1], [2, 3, 4]]


LOGITS = np.array(
    [[0.3, -1.0, 2.0], [1.5, 0.0, -0.5], [-2.0, 3.0, 0.1], [0.7, 0.2, 0.4], [0.0, 0.0, 0.0]]
)


def numpy(tensor: keras.KerasTensor) -> np.ndarray:
    found = np.asarray(tensor)
    assert found.dtype == np.float32
    return found


def losses(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return numpy(loss(tf.constant(target, tf.float32), tf.constant(logits, tf.float32)))


def test_the_loss_of_known_classes_is_the_cross_entropy() -> None:
    known = np.array([0, 2, 1, 2, 0])
    found = losses(np.eye(3)[known], LOGITS)
    assert found.shape == (5,)
    np.testing.assert_allclose(found, -log_softmax(LOGITS, axis=1)[range(5), known], atol=1e-6)
    expected = log_loss(known, softmax(LOGITS, axis=1), labels=[0, 1, 2])
    assert found.mean() == pytest.approx(expected, abs=1e-6)


def test_the_loss_of_an_unknown_subtype_is_that_of_the_sum() -> None:
    found = losses(np.array(ENCODED), LOGITS)
    sums = (softmax(LOGITS, axis=1) * np.array(ENCODED)).sum(axis=1)
    np.testing.assert_allclose(found, -np.log(sums), atol=1e-6)
    # Of three equal logits two are admissible: -log(2/3).
    alike = losses(np.array([[0.0, 1.0, 1.0]]), np.zeros((1, 3)))
    assert alike[0] == pytest.approx(math.log(1.5), abs=1e-6)


def test_the_loss_of_one_logit_is_the_binary_cross_entropy() -> None:
    logits = np.array([[2.0], [-1.0], [0.0], [0.5], [-3.0]])
    found = losses(LABELS[:, np.newaxis], logits)
    assert found.shape == (5,)
    assert found.mean() == pytest.approx(log_loss(LABELS, expit(logits[:, 0])), abs=1e-6)
    assert found[0] == pytest.approx(math.log1p(math.exp(2.0)), abs=1e-6)


EXTREME = [
    # Surely right, surely wrong, and wrong by either way to the admissible sum.
    ([1, 0, 0], [200, -200, -200], 0.0),
    ([1, 0, 0], [-200, 200, -200], 400.0),
    ([0, 1, 1], [200, -200, -200], 400.0 - math.log(2.0)),
    ([0, 1, 1], [-200, 200, 200], 0.0),
    ([0, 1, 1], [200, -200, 200], math.log(2.0)),
    ([0, 0, 1], [0, 200, -200], 400.0),
    ([1], [200], 0.0),
    ([1], [-200], 200.0),
    ([0], [200], 200.0),
]


@pytest.mark.parametrize(("target", "logits", "expected"), EXTREME)
def test_extreme_logits_give_a_finite_loss_and_a_finite_slope(
    target: list[int], logits: list[int], expected: float
) -> None:
    given = tf.constant([logits], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = loss(tf.constant([target], tf.float32), given)
    assert numpy(found)[0] == pytest.approx(expected, abs=1e-4)
    slope = numpy(tape.gradient(found, given))
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() <= 1.0 + 1e-6


def test_the_slope_of_the_loss_by_hand() -> None:
    # Softmax, less the share of each admissible class in their sum.
    given = tf.constant(LOGITS, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = loss(tf.constant(ENCODED, tf.float32), given)
    scores = softmax(LOGITS, axis=1)
    admissible = scores * np.array(ENCODED)
    expected = scores - admissible / admissible.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(numpy(tape.gradient(found, given)), expected, atol=1e-6)


def test_the_log_odds_of_pneumonia_are_those_of_all_its_kinds() -> None:
    found = numpy(pneumonia_logit(tf.constant(LOGITS, tf.float32)))
    assert found.shape == (5, 1)
    normal = softmax(LOGITS, axis=1)[:, 0]
    np.testing.assert_allclose(found[:, 0], np.log((1 - normal) / normal), atol=1e-6)
    two = numpy(pneumonia_logit(tf.constant([[1.0, 4.0]])))
    np.testing.assert_allclose(two, [[3.0]], atol=1e-6)
    one = tf.constant([[-7.0], [2.5]])
    np.testing.assert_array_equal(numpy(pneumonia_logit(one)), one)
    far = numpy(pneumonia_logit(tf.constant([[200.0, -200.0, -200.0], [-200.0, 200.0, 0.0]])))
    np.testing.assert_allclose(far, [[math.log(2.0) - 400.0], [400.0]], atol=1e-4)


def test_accuracy_is_of_normal_and_pneumonia_alone() -> None:
    logits = [
        [2.0, 0.0, 0.0],  # normal: e^2 > 2
        [0.5, 0.0, 0.0],  # pneumonia, though no kind of it has the highest logit: e^0.5 < 2
        [0.5, 0.0, 0.0],
        [0.0, 3.0, 0.0],  # pneumonia, of the wrong kind
        [1.0, 0.0, 0.0],  # normal
    ]
    target = [[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]]
    found = numpy(accuracy(tf.constant(target, tf.float32), tf.constant(logits)))
    assert found.tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]


def test_accuracy_of_one_logit() -> None:
    target, logits = [[0.0], [0.0], [1.0], [1.0]], [[-1.0], [1.0], [-1.0], [1.0]]
    found = numpy(accuracy(tf.constant(target), tf.constant(logits)))
    assert found.tolist() == [1.0, 0.0, 0.0, 1.0]
