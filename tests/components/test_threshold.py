import numpy as np
import pytest
from sklearn.metrics import roc_curve

from components.evaluator.threshold import DegenerateScoresError, youden_threshold


def test_by_hand() -> None:
    # At >= 0.6: both of 0.6 and 0.8 found, of the negatives 0.1, 0.3 cleared and 0.7 not.
    point = youden_threshold(np.array([0, 0, 1, 0, 1]), np.array([0.1, 0.3, 0.6, 0.7, 0.8]))
    assert point.sensitivity == 1.0
    assert point.specificity == pytest.approx(2 / 3)
    assert point.j == pytest.approx(2 / 3)
    assert point.threshold == pytest.approx(0.45)
    assert (point.lowest, point.highest) == (pytest.approx(0.3), pytest.approx(0.6))


def test_perfect_scores_are_cut_in_the_middle_of_the_gap() -> None:
    point = youden_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert point.j == 1.0
    assert point.threshold == pytest.approx(0.5)


def test_of_equal_j_the_most_sensitive_is_taken() -> None:
    # J is 0.5 at >= 0.2 (sensitivity 1, specificity 0.5) and at >= 0.4 (0.5 and 1).
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    point = youden_threshold(labels, scores)
    assert (point.sensitivity, point.specificity) == (1.0, 0.5)
    assert point.threshold == pytest.approx(0.15)


def test_tied_scores_stay_together() -> None:
    labels, scores = np.array([0, 1, 1, 0, 1, 0]), np.array([0.5, 0.5, 0.5, 0.2, 0.9, 0.1])
    point = youden_threshold(labels, scores)
    assert point.threshold == pytest.approx(0.35)
    assert (point.sensitivity, point.specificity) == (1.0, pytest.approx(2 / 3))


def test_against_scikit_learn_on_random_scores() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        labels = rng.integers(0, 2, 60)
        labels[:2] = (0, 1)
        scores = np.round(rng.random(60) * 0.7 + labels * 0.3, 2).astype(np.float32)
        fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
        point = youden_threshold(labels, scores)
        assert point.j == pytest.approx((tpr - fpr).max())
        decided = scores >= np.float32(point.threshold)
        assert decided[labels == 1].mean() == pytest.approx(point.sensitivity)
        assert (~decided[labels == 0]).mean() == pytest.approx(point.specificity)


def test_neighbouring_floats_leave_no_room_between() -> None:
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1.0))
    point = youden_threshold(np.array([0, 1]), np.array([low, high]))
    assert low < np.float32(point.threshold) <= high


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.9], "2 of 2 films are positive"),
        ([0, 0], [0.1, 0.9], "0 of 2 films are positive"),
        ([0, 1], [0.5, 0.5], "all 2 scores are 0.5"),
        ([0, 1], [0.5, np.nan], "1 scores are not finite"),
        ([0, 1], [0.5, np.inf], "1 scores are not finite"),
        ([1, 0], [0.1, 0.9], "no threshold separates"),
    ],
)
def test_degenerate_scores_are_errors(labels: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(DegenerateScoresError, match=message):
        youden_threshold(np.array(labels), np.array(scores))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        youden_threshold(np.array([0, 1]), np.array([0.1, 0.2, 0.3]))
