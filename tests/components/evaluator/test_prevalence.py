import math

import numpy as np
import pytest

from components.evaluator.controls import feature_control
from components.evaluator.decision_curve import decision_curve
from components.evaluator.prevalence import predictive_values, prevalence_table
from components.shared.statistics.bootstrap import Bootstrap, Sample

DRAWS = Bootstrap(200, seed=1)


def sample_of(labels: list[int], scores: list[float]) -> Sample:
    patients = np.array([f"p{film}" for film in range(len(labels))])
    return Sample(np.array(labels), np.array(scores, np.float32), patients)


# At 0.5: 4 of 5 pneumonias found, 3 of 4 normals cleared.
BY_HAND = sample_of([1, 1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.3, 0.1, 0.2, 0.4, 0.6])


def test_predictive_values_are_those_of_children_counted() -> None:
    # Of 1,000 children 100 are ill: 80 of them are found, and 225 of the 900 healthy are called.
    ppv, npv = predictive_values(np.array([0.8]), np.array([0.75]))
    assert ppv[0, 1] == pytest.approx(80 / (80 + 225))
    assert npv[0, 1] == pytest.approx(675 / (675 + 20))


def test_table_has_each_prevalence_with_intervals() -> None:
    rows = prevalence_table(BY_HAND, 0.5, DRAWS)
    shares = [0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70]
    assert [row.prevalence for row in rows] == shares
    half = rows[5]
    assert half.ppv == pytest.approx(0.4 / (0.4 + 0.125))
    assert half.npv == pytest.approx(0.375 / (0.375 + 0.1))
    for row in rows:
        assert row.ppv_interval[0] <= row.ppv <= row.ppv_interval[1]
        assert row.npv_interval[0] <= row.npv <= row.npv_interval[1]
    values = [row.ppv for row in rows]
    assert values == sorted(values)


def test_nothing_called_has_no_predictive_value() -> None:
    rows = prevalence_table(BY_HAND, 0.95, DRAWS)
    assert math.isnan(rows[0].ppv)
    assert np.isnan(rows[0].ppv_interval).all()
    assert rows[0].npv == pytest.approx(0.95)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_predictive_values(label: int) -> None:
    rows = prevalence_table(sample_of([label] * 2, [0.2, 0.9]), 0.5, DRAWS)
    assert all(math.isnan(row.ppv) and math.isnan(row.npv) for row in rows)


def test_net_benefit_by_hand() -> None:
    found = decision_curve(BY_HAND)
    shares = found.threshold_probability
    assert (len(shares), shares[0], shares[-1]) == (56, 0.05, 0.60)
    # From 0.5 on: 4 of 9 are treated rightly, 1 of 9 wrongly.
    assert found.model[shares.index(0.5)] == pytest.approx(4 / 9 - 1 / 9 * 0.5 / 0.5)
    # From 0.25 on: 5 of 9 rightly, 2 of 9 wrongly.
    assert found.model[shares.index(0.25)] == pytest.approx(5 / 9 - 2 / 9 * 0.25 / 0.75)
    # All: 5 of 9 rightly, 4 of 9 wrongly.
    assert found.all[shares.index(0.25)] == pytest.approx(5 / 9 - 4 / 9 * 0.25 / 0.75)
    # 0.6 is the float32 of two scores, and is treated.
    assert found.model[-1] == pytest.approx(4 / 9 - 1 / 9 * 0.6 / 0.4)


def test_a_score_at_the_threshold_is_treated_as_the_served_model_does() -> None:
    # The float32 of 0.35 is less than 0.35.
    found = decision_curve(sample_of([1, 0], [0.35, 0.1]))
    assert found.model[found.threshold_probability.index(0.35)] == pytest.approx(0.5)
    assert found.model[found.threshold_probability.index(0.36)] == 0.0


def test_where_all_are_treated_the_model_is_worth_as_much() -> None:
    found = decision_curve(BY_HAND)
    assert found.model[0] == pytest.approx(found.all[0])


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_a_net_benefit(label: int) -> None:
    found = decision_curve(sample_of([label] * 2, [0.9, 0.9]))
    assert found.model == pytest.approx(found.all)


def test_a_feature_says_which_side_speaks_for_pneumonia() -> None:
    features = [3.0, 1.0, 2.0, 5.0, 4.0, 6.0]
    labels = [1, 1, 1, 0, 0, 0]
    found = feature_control(sample_of(labels, features), DRAWS)
    assert (found.auc, found.direction) == (1.0, "lower")
    assert found.interval == (1.0, 1.0)
    found = feature_control(sample_of(labels[::-1], features), DRAWS)
    assert (found.auc, found.direction) == (1.0, "higher")


def test_both_sides_of_a_feature_give_one_auc_and_interval() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 100)
    values = rng.normal(labels * 0.5, 1.0)
    up = feature_control(sample_of(labels.tolist(), values.tolist()), DRAWS)
    down = feature_control(sample_of(labels.tolist(), (-values).tolist()), DRAWS)
    assert (up.direction, down.direction) == ("higher", "lower")
    assert up.auc == pytest.approx(down.auc)
    assert up.interval == pytest.approx(down.interval)
    assert up.interval[0] < up.auc < up.interval[1]


def test_a_constant_feature_says_nothing() -> None:
    found = feature_control(sample_of([0, 1], [0.5, 0.5]), DRAWS)
    assert (found.auc, found.direction) == (0.5, "higher")


def test_a_feature_of_one_class_has_no_auc() -> None:
    found = feature_control(sample_of([1, 1], [0.5, 0.6]), DRAWS)
    assert math.isnan(found.auc)
