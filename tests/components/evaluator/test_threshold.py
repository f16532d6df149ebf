import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.metrics import roc_curve

from components.evaluator.threshold import (
    DegenerateScoresError,
    calibrated_threshold,
    choose_threshold,
    empirical_maximum,
    youden_threshold,
)
from components.shared.errors import InputError


def test_by_hand() -> None:
    # At >= 0.6: both of 0.6 and 0.8 found, of the negatives 0.1, 0.3 cleared and 0.7 not.
    point = empirical_maximum(np.array([0, 0, 1, 0, 1]), np.array([0.1, 0.3, 0.6, 0.7, 0.8]))
    assert point.sensitivity == 1.0
    assert point.specificity == pytest.approx(2 / 3)
    assert point.j == pytest.approx(2 / 3)
    assert point.threshold == pytest.approx(0.45)
    assert (point.lowest, point.highest) == (pytest.approx(0.3), pytest.approx(0.6))


def test_perfect_scores_are_cut_in_the_middle_of_the_gap() -> None:
    point = empirical_maximum(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert point.j == 1.0
    assert point.threshold == pytest.approx(0.5)


def test_of_equal_j_the_most_sensitive_is_taken() -> None:
    # J is 0.5 at >= 0.2 (sensitivity 1, specificity 0.5) and at >= 0.4 (0.5 and 1).
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    point = empirical_maximum(labels, scores)
    assert (point.sensitivity, point.specificity) == (1.0, 0.5)
    assert point.threshold == pytest.approx(0.15)


def test_tied_scores_stay_together() -> None:
    labels, scores = np.array([0, 1, 1, 0, 1, 0]), np.array([0.5, 0.5, 0.5, 0.2, 0.9, 0.1])
    point = empirical_maximum(labels, scores)
    assert point.threshold == pytest.approx(0.35)
    assert (point.sensitivity, point.specificity) == (1.0, pytest.approx(2 / 3))


def test_against_scikit_learn_on_random_scores() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        labels = rng.integers(0, 2, 60)
        labels[:2] = (0, 1)
        scores = np.round(rng.random(60) * 0.7 + labels * 0.3, 2).astype(np.float32)
        fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
        point = empirical_maximum(labels, scores)
        assert point.j == pytest.approx((tpr - fpr).max())
        decided = scores >= np.float32(point.threshold)
        assert decided[labels == 1].mean() == pytest.approx(point.sensitivity)
        assert (~decided[labels == 0]).mean() == pytest.approx(point.specificity)


def test_neighbouring_floats_leave_no_room_between() -> None:
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1.0))
    point = empirical_maximum(np.array([0, 1]), np.array([low, high]))
    assert low < np.float32(point.threshold) <= high


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5, 0.5], "all 2 scores are 0.5"),
        ([0, 1], [0.5, np.nan], "1 scores are not finite"),
        ([0, 1], [0.5, np.inf], "1 scores are not finite"),
        ([1, 0], [0.1, 0.9], "no threshold separates"),
    ],
)
def test_degenerate_scores_are_errors(labels: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(DegenerateScoresError, match=message):
        empirical_maximum(np.array(labels), np.array(scores))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_no_fault_of_the_model(label: int) -> None:
    with pytest.raises(InputError, match=f"{2 * label} of its 2 films show pneumonia"):
        choose_threshold(np.array([label] * 2), np.array([0.1, 0.9]), 0)


def test_a_model_without_a_threshold_is_measured_at_a_half() -> None:
    found = choose_threshold(np.array([0, 1]), np.array([0.2, 0.2]), 0)
    assert found == (0.5, None, "all 2 scores are 0.2")
    # A probability of another split was no number.
    found = choose_threshold(np.array([0, 1]), np.array([0.2, 0.8]), 3)
    assert found == (0.5, None, "3 probabilities are no numbers")
    found = choose_threshold(np.array([0, 1]), np.array([0.2, 0.8]), 0)
    assert found.threshold == youden_threshold(np.array([0, 1]), np.array([0.2, 0.8])).threshold
    assert found.youden is not None
    assert (found.youden.sensitivity, found.youden.j, found.why_none) == (1.0, 1.0, "")


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        empirical_maximum(np.array([0, 1]), np.array([0.1, 0.2, 0.3]))


def crossing(labels: np.ndarray, odds: np.ndarray) -> float:
    """Minimises the logistic loss itself, each class weighing one half."""
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())

    def loss(line: np.ndarray) -> float:
        return float(-weights @ log_expit((line[0] * odds + line[1]) * np.where(labels, 1, -1)))

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(expit(-intercept / slope))


def clouds(seed: int, normals: int = 200, pneumonias: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of two classes of one width, -2 and 4 in the middle: J is highest at 1."""
    rng = np.random.default_rng(seed)
    odds = np.concatenate([rng.normal(-2, 2, normals), rng.normal(4, 2, pneumonias)])
    return np.repeat([False, True], [normals, pneumonias]), odds


def test_the_regression_against_its_loss_minimised_by_hand() -> None:
    labels, odds = clouds(0)
    assert calibrated_threshold(labels, expit(odds)) == pytest.approx(
        crossing(labels, odds), abs=1e-3
    )


def test_the_estimate_scatters_less_than_the_maximum() -> None:
    """The truth is known here; another draw of films moves the estimate less."""
    samples = [clouds(seed) for seed in range(60)]
    estimated = [logit(youden_threshold(labels, expit(odds)).threshold) for labels, odds in samples]
    highest = [logit(empirical_maximum(labels, expit(odds)).threshold) for labels, odds in samples]
    assert np.mean(estimated) == pytest.approx(1.0, abs=0.1)
    assert np.std(estimated) < 0.7 * np.std(highest)


def test_shares_of_the_classes_do_not_move_it() -> None:
    labels, odds = clouds(1)
    again = np.concatenate([np.arange(len(labels)), np.flatnonzero(labels)])
    once, twice = (
        youden_threshold(labels, expit(odds)),
        youden_threshold(labels[again], expit(odds[again])),
    )
    assert twice.threshold == pytest.approx(once.threshold, abs=1e-4)


def test_the_point_tells_what_the_threshold_does() -> None:
    labels, odds = clouds(2)
    scores = expit(odds).astype(np.float32)
    point = youden_threshold(labels, scores)
    assert point.rule == "calibrated"
    called = scores >= np.float32(point.threshold)
    assert point.sensitivity == pytest.approx(called[labels].mean())
    assert point.specificity == pytest.approx((~called[~labels]).mean())
    assert point.j == pytest.approx(point.sensitivity + point.specificity - 1)
    assert point.highest_j == pytest.approx(empirical_maximum(labels, scores).j)
    assert point.lowest < point.threshold <= point.highest
    assert not ((scores > point.lowest) & (scores < point.highest)).any()


@pytest.mark.parametrize(("missed", "rule"), [(1, "calibrated"), (2, "maximum"), (60, "maximum")])
def test_where_the_films_contradict_the_regression_the_maximum_is_taken(
    missed: int, rule: str
) -> None:
    # Three normals lie far among the pneumonias, and some pneumonias just above the normals.
    labels = np.repeat([False, True], 100)
    odds = np.repeat([-1.0, 4.0, -0.9, 3.0], [97, 3, missed, 100 - missed])
    # The regression's threshold misses these.
    assert crossing(labels, odds) > expit(-0.9)
    point = youden_threshold(labels, expit(odds))
    # The highest J is 1 + 0.97 - 1, its standard error the root of 0.97 * 0.03 / 100, 0.017.
    assert point.highest_j == pytest.approx(0.97)
    assert point.rule == rule
    if rule == "maximum":
        assert point.j == pytest.approx(0.97)
        assert expit(-1.0) < point.threshold <= expit(-0.9)
    else:
        assert point.j == pytest.approx(0.96)
        assert point.threshold == pytest.approx(crossing(labels, odds), abs=1e-3)


def test_certain_scores_have_finite_log_odds() -> None:
    labels = np.array([False, False, True, True])
    point = youden_threshold(labels, np.array([0.0, 0.0, 1.0, 1.0]))
    assert point.j == 1.0
    assert point.threshold == pytest.approx(0.5, abs=1e-3)


def test_degenerate_scores_are_errors_of_the_estimate_too() -> None:
    with pytest.raises(DegenerateScoresError, match="no threshold separates"):
        youden_threshold(np.array([1, 0]), np.array([0.1, 0.9]))
