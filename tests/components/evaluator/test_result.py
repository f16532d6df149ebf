import json
import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from components.evaluator.predictions import Predictions
from components.evaluator.result import measure, to_sample
from components.shared.statistics.bootstrap import Bootstrap

THRESHOLD = 0.45


def predictions(seed: int, number: int = 200, label: int | None = None) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number) if label is None else np.full(number, label)
    # Two films a patient of the first half, one of the others.
    keys = [film // 2 if film < number // 2 else film for film in range(number)]
    return Predictions(
        file_names=[f"test/{film:03d}" for film in range(number)],
        patients=[
            f"person{key}_virus" if ill else f"IM-{key:04d}"
            for key, ill in zip(keys, labels, strict=True)
        ],
        labels=labels,
        subtypes=["virus" if ill else "normal" for ill in labels],
        widths=rng.integers(100, 200, number),
        heights=rng.integers(100, 200, number) + 40 * labels,
        means=rng.random(number),
        sizes=rng.integers(1000, 2000, number),
        sharpness=rng.random(number) * 20,
        scores=(rng.random(number) * 0.6 + labels * 0.35).astype(np.float32),
    )


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure(
        predictions(1), predictions(2), predictions(3), THRESHOLD, Bootstrap(200, seed=1)
    )


def test_every_topic_is_there(measured: dict[str, Any]) -> None:
    assert list(measured) == [
        "auc",
        "accuracy",
        "recall",
        "specificity",
        "precision",
        "f1",
        "loss",
        "confusion_matrix",
        "balanced_accuracy",
        "average_precision",
        "intervals",
        "bootstrap_resamples",
        "wilson",
        "curves",
        "points_on_test",
        "operating_points",
        "calibration",
        "prevalence",
        "decision_curve",
        "threshold_transfer",
        "slices",
        "controls",
        "correlations",
    ]
    assert measured["bootstrap_resamples"] == 200


def test_values_are_those_of_the_test_split(measured: dict[str, Any]) -> None:
    test = predictions(1)
    assert measured["auc"] == pytest.approx(roc_auc_score(test.labels, test.scores))
    precision = average_precision_score(test.labels, test.scores)
    assert measured["average_precision"] == pytest.approx(precision)
    squares = brier_score_loss(test.labels, test.scores)
    assert measured["calibration"]["brier"] == pytest.approx(squares, rel=1e-6)
    balanced = (measured["recall"] + measured["specificity"]) / 2
    assert measured["balanced_accuracy"] == pytest.approx(balanced)
    assert measured["threshold_transfer"]["points"]["chosen"]["threshold"] == THRESHOLD
    j = measured["recall"] + measured["specificity"] - 1
    assert measured["threshold_transfer"]["points"]["chosen"]["test_j"] == pytest.approx(j)
    evaluation = predictions(2)
    called = evaluation.scores >= np.float32(THRESHOLD)
    j = called[evaluation.labels == 1].mean() - called[evaluation.labels == 0].mean()
    assert measured["threshold_transfer"]["points"]["chosen"]["eval_j"] == pytest.approx(j)


def test_wilson_interval_holds_the_recall(measured: dict[str, Any]) -> None:
    low, high = measured["wilson"]["recall"]
    assert low < measured["recall"] < high


def test_slices_are_of_class_size_and_films(measured: dict[str, Any]) -> None:
    slices = measured["slices"]
    assert {kind: list(found) for kind, found in slices.items()} == {
        "films_of_patient": ["one", "several"],
        "image_size": ["large", "middle", "small"],
        "normal_stream_against_all_pneumonias": ["IM"],
        "subtype_against_all_normals": ["virus"],
    }
    for kind in ("films_of_patient", "image_size"):
        assert sum(cohort["films"] for cohort in slices[kind].values()) == 200
    assert slices["subtype_against_all_normals"]["virus"]["auc"] == measured["auc"]


def test_controls_are_of_the_features_and_of_the_blanked_films(measured: dict[str, Any]) -> None:
    test, blanked = predictions(1), predictions(3)
    controls = measured["controls"]
    aspect = roc_auc_score(test.labels, test.widths / test.heights)
    assert controls["aspect_ratio"]["auc"] == pytest.approx(1.0 - aspect)
    assert controls["aspect_ratio"]["direction"] == "lower"
    for name, values in (("file_size", test.sizes), ("mean_brightness", test.means)):
        area = roc_auc_score(test.labels, values)
        assert controls[name]["auc"] == pytest.approx(max(area, 1.0 - area))
    expected = roc_auc_score(blanked.labels, blanked.scores)
    assert controls["lungs_blanked"]["auc"] == pytest.approx(expected)
    assert set(controls["lungs_blanked"]) == {"auc", "interval"}


def test_all_of_it_is_plain_json(measured: dict[str, Any]) -> None:
    assert json.loads(json.dumps(measured)) == json.loads(json.dumps(measured, allow_nan=False))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_on_test_is_no_crash(label: int) -> None:
    one = predictions(1, number=20, label=label)
    found = measure(one, predictions(2), one, THRESHOLD, Bootstrap(100, seed=1))
    assert math.isnan(found["auc"])
    assert math.isnan(found["balanced_accuracy"])
    assert np.isnan(found["wilson"]["recall" if label == 0 else "specificity"]).all()
    assert math.isnan(found["controls"]["file_size"]["auc"])
    json.dumps(found)


def test_constant_scores_are_no_crash() -> None:
    flat = predictions(1)._replace(scores=np.full(200, 0.5, np.float32))
    found = measure(flat, predictions(2), flat, THRESHOLD, Bootstrap(100, seed=1))
    assert found["auc"] == 0.5
    assert found["intervals"]["auc"] == [0.5, 0.5]
    assert math.isnan(found["calibration"]["slope"])
    assert found["recall"] == 1.0


def test_a_sample_may_have_other_scores() -> None:
    test = predictions(1)
    np.testing.assert_array_equal(to_sample(test).scores, test.scores)
    np.testing.assert_array_equal(to_sample(test, test.sizes).scores, test.sizes)
