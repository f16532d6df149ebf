import math

import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score, roc_curve

from components.evaluator.curves import GRID, curves, precisions, true_positive_rates
from components.evaluator.operating_points import (
    operating_points,
    points_on_test,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    threshold_of_sensitivity,
    threshold_of_specificity,
)
from components.evaluator.transfer import best_threshold, threshold_transfer, youden_j
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.tally import average_precision, roc, tally

DRAWS = Bootstrap(100, seed=1)


def sample_of(labels: list[int], scores: list[float]) -> Sample:
    patients = np.array([f"p{film}" for film in range(len(labels))])
    return Sample(np.array(labels), np.array(scores, np.float32), patients)


def random_sample(seed: int, number: int = 200) -> Sample:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    scores = np.round(rng.random(number) * 0.6 + labels * 0.35, 2)
    return sample_of(labels.tolist(), scores.tolist())


# In the order of the scores: N P N N P P.
BY_HAND = sample_of([0, 1, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_curves_by_hand() -> None:
    films = tally(BY_HAND.labels, BY_HAND.scores)
    # (0, 1/3), (0, 2/3), (1/3, 2/3), (2/3, 2/3), (2/3, 1), (1, 1)
    rates = true_positive_rates(films)[0]
    assert rates[[0, 33, 66, 67, 100]] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0, 1.0])
    # Up to a recall of 2/3 no normal is called; at a recall of 1 it is 3 of 5.
    precision = precisions(films)[0]
    assert precision[[0, 33, 66, 67, 100]] == pytest.approx([1.0, 1.0, 1.0, 0.6, 0.6])


def test_between_two_points_the_roc_curve_is_straight() -> None:
    # Four films of one score: from (0, 0) to (1, 1) in one step.
    films = tally(np.array([0, 0, 1, 1]), np.full(4, 0.5))
    assert true_positive_rates(films)[0] == pytest.approx(GRID)


@pytest.mark.parametrize("seed", range(3))
def test_area_under_the_curves_is_auc_and_average_precision(seed: int) -> None:
    sample = random_sample(seed, 2000)
    films = tally(sample.labels, sample.scores)
    found = curves(sample, DRAWS)
    up, across = found.roc.true_positive_rate, found.roc.false_positive_rate
    assert area(across, up) == pytest.approx(roc_auc_score(sample.labels, sample.scores), abs=0.01)
    precision = found.precision_recall.precision
    assert np.mean(precision) == pytest.approx(average_precision(films)[0], abs=0.01)
    for curve, value in (("roc", up), ("precision_recall", precision)):
        low, high = np.array(getattr(found, curve).low), np.array(getattr(found, curve).high)
        assert len(low) == len(high) == len(GRID)
        assert (low <= high).all()
        assert (low <= np.array(value) + 1e-9).mean() > 0.9
        assert (np.array(value) - 1e-9 <= high).mean() > 0.9


def test_points_on_test_by_hand() -> None:
    # At a specificity of 0.9 (9 of 10) one normal is called: above 0.85 are 3 of 4 pneumonias.
    normals = [0.85, *(0.05 * step for step in range(1, 10))]
    sample = sample_of([0] * 10 + [1] * 4, [*normals, 0.86, 0.87, 0.9, 0.42])
    films = tally(sample.labels, sample.scores)
    assert sensitivity_at_specificity(films, 0.95)[0] == 0.75
    assert sensitivity_at_specificity(films, 0.90)[0] == 0.75
    assert sensitivity_at_specificity(films, 0.80)[0] == 1.0
    # To find all four, 0.42 must be called, and with it 0.45 and 0.85.
    assert specificity_at_sensitivity(films, 0.95)[0] == pytest.approx(0.8)
    assert specificity_at_sensitivity(films, 0.75)[0] == 1.0
    found = points_on_test(sample, DRAWS)
    assert found["sensitivity_at_specificity"]["0.90"].value == 0.75
    assert found["specificity_at_sensitivity"]["0.95"].value == pytest.approx(0.8)
    low, high = found["specificity_at_sensitivity"]["0.95"].interval
    assert 0.0 <= low <= 0.8 <= high <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_points_on_test_are_those_of_scikit_learns_curve(seed: int) -> None:
    sample = random_sample(seed)
    across, up, _ = roc_curve(sample.labels, sample.scores, drop_intermediate=False)
    films = tally(sample.labels, sample.scores)
    expected = up[1.0 - across >= 0.9 - 1e-12].max()
    assert sensitivity_at_specificity(films, 0.90)[0] == pytest.approx(expected)
    expected = (1.0 - across)[up >= 0.95 - 1e-12].max()
    assert specificity_at_sensitivity(films, 0.95)[0] == pytest.approx(expected)


def test_chosen_thresholds_by_hand() -> None:
    points = roc(tally(BY_HAND.labels, BY_HAND.scores))
    assert threshold_of_sensitivity(points, 0.60) == pytest.approx(0.5)
    assert threshold_of_sensitivity(points, 0.95) == pytest.approx(0.2)
    assert threshold_of_specificity(points, 0.60) == pytest.approx(0.4)
    assert threshold_of_specificity(points, 0.90) == pytest.approx(0.5)


def test_threshold_lies_above_a_normal_that_scores_highest() -> None:
    points = roc(tally(np.array([1, 0]), np.array([0.5, 0.75], np.float32)))
    threshold = np.float32(threshold_of_specificity(points, 0.9))
    assert threshold == np.nextafter(np.float32(0.75), np.float32(1.0))


@pytest.mark.parametrize("seed", range(5))
def test_operating_points_hold_on_eval_and_no_next_one_does(seed: int) -> None:
    evaluation, test = random_sample(seed), random_sample(seed + 100)
    found = operating_points(evaluation, test, DRAWS)
    sensitive, specific = found["sensitivity_95"], found["specificity_90"]
    assert sensitive.rule == "sensitivity at least 0.95 on eval"
    assert specific.rule == "specificity at least 0.90 on eval"
    positives = evaluation.scores[evaluation.labels == 1]
    negatives = evaluation.scores[evaluation.labels == 0]
    above = evaluation.scores[evaluation.scores > np.float32(sensitive.threshold)].min()
    assert sensitive.eval.value("recall") >= 0.95 > (positives >= above).mean()
    below = evaluation.scores[evaluation.scores < np.float32(specific.threshold)].max()
    assert specific.eval.value("specificity") >= 0.90 > (negatives < below).mean()
    for point in (sensitive, specific):
        called = test.scores >= np.float32(point.threshold)
        assert point.test.value("recall") == pytest.approx(called[test.labels == 1].mean())
        assert set(point.intervals) == {"recall", "specificity"}
        low, high = point.intervals["recall"]
        assert low <= point.test.value("recall") <= high


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_on_test_gives_no_numbers_and_no_crash(label: int) -> None:
    one = sample_of([label] * 3, [0.1, 0.2, 0.9])
    points = points_on_test(one, DRAWS)
    assert math.isnan(points["sensitivity_at_specificity"]["0.90"].value)
    assert np.isnan(points["specificity_at_sensitivity"]["0.95"].interval).all()
    found = curves(one, DRAWS)
    assert np.isnan(found.roc.true_positive_rate).all()
    assert np.isnan(found.precision_recall.precision).all() == (label == 0)
    operating_points(BY_HAND, one, DRAWS)
    transfer = threshold_transfer(BY_HAND, one, 0.5)
    assert math.isnan(transfer.points["oracle"].threshold)
    assert np.isnan(transfer.test).all()


def test_one_class_on_eval_is_an_error() -> None:
    with pytest.raises(ValueError, match="both classes"):
        operating_points(sample_of([1, 1], [0.1, 0.2]), BY_HAND, DRAWS)


def test_j_by_hand() -> None:
    found = youden_j(BY_HAND, np.array([0.0, 0.2, 0.25, 0.5, 0.55, 0.7]))
    assert found == pytest.approx([0.0, 1 / 3, 0.0, 2 / 3, 1 / 3, 0.0])
    assert best_threshold(BY_HAND) == pytest.approx(0.5)


def test_of_equal_j_the_lowest_threshold_is_taken() -> None:
    # J is 0.5 at 0.2 and at 0.4.
    assert best_threshold(sample_of([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])) == pytest.approx(0.2)


def test_scores_of_no_use_are_best_all_called() -> None:
    assert best_threshold(sample_of([1, 0], [0.25, 0.75])) == 0.25
    assert best_threshold(sample_of([1, 0], [0.5, 0.5])) == 0.5


def test_transfer_names_three_thresholds() -> None:
    evaluation, test = random_sample(1), random_sample(2)
    found = threshold_transfer(evaluation, test, 0.4)
    assert len(found.thresholds) == len(found.eval) == len(found.test) == 201
    points = found.points
    assert points["chosen"].threshold == 0.4
    assert points["chosen"].eval_j == found.eval[80]
    assert points["half"].test_j == found.test[100]
    across, up, _ = roc_curve(test.labels, test.scores)
    assert points["oracle"].test_j == pytest.approx((up - across).max())
    assert points["oracle"].test_j >= max(found.test) - 1e-12
