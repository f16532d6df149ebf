import json
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from components.evaluator.measures import measure, to_sample
from components.evaluator.predictions import Predictions
from components.shared.result import Measured, Result, Stress
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
def measured() -> Result:
    return result_of(predictions(1), predictions(2), predictions(3))


def result_of(test: Predictions, evaluation: Predictions, blanked: Predictions) -> Result:
    """The measures as they come back from the file, with the rest of a result around them."""
    nothing = Stress(films=1, patients=1, unchanged=Measured(), changes=[], lowest=1.0, mean=1.0)
    result = Result(
        **measure(test, evaluation, blanked, THRESHOLD, Bootstrap(200, seed=1)),
        threshold=THRESHOLD,
        youden=None,
        stressed_balanced_accuracy=1.0,
        stress={"test": nothing},
        errors=[],
        overlap={},
        champion=None,
        champion_lost="",
        gate={},
    )
    text = result.model_dump_json()
    assert json.loads(text) == json.loads(text, parse_constant=pytest.fail)
    again = Result.of_metrics({**json.loads(text), "pushed": True})
    assert again.model_dump_json() == text
    return again


def test_values_are_those_of_the_test_split(measured: Result) -> None:
    test = predictions(1)
    assert measured.value("auc") == pytest.approx(roc_auc_score(test.labels, test.scores))
    precision = average_precision_score(test.labels, test.scores)
    assert measured.value("average_precision") == pytest.approx(precision)
    squares = brier_score_loss(test.labels, test.scores)
    assert measured.calibration.brier == pytest.approx(squares, rel=1e-6)
    balanced = (measured.value("recall") + measured.value("specificity")) / 2
    assert measured.value("balanced_accuracy") == pytest.approx(balanced)
    assert measured.threshold_transfer.points["chosen"].threshold == THRESHOLD
    j = measured.value("recall") + measured.value("specificity") - 1
    assert measured.threshold_transfer.points["chosen"].test_j == pytest.approx(j)
    evaluation = predictions(2)
    called = evaluation.scores >= np.float32(THRESHOLD)
    j = called[evaluation.labels == 1].mean() - called[evaluation.labels == 0].mean()
    assert measured.threshold_transfer.points["chosen"].eval_j == pytest.approx(j)


def test_wilson_interval_holds_the_recall(measured: Result) -> None:
    low, high = measured.wilson["recall"]
    assert low < measured.value("recall") < high


def test_slices_are_of_class_size_and_films(measured: Result) -> None:
    slices = measured.slices
    assert {kind: list(found) for kind, found in slices.items()} == {
        "films_of_patient": ["one", "several"],
        "image_size": ["large", "middle", "small"],
        "normal_stream_against_all_pneumonias": ["IM"],
        "subtype_against_all_normals": ["virus"],
    }
    for kind in ("films_of_patient", "image_size"):
        assert sum(cohort.films for cohort in slices[kind].values()) == 200
    assert slices["subtype_against_all_normals"]["virus"].value("auc") == measured.value("auc")
    test = predictions(1)
    pixels = test.widths * test.heights
    small = pixels < np.quantile(pixels, 1 / 3)
    expected = roc_auc_score(test.labels[small], test.scores[small])
    assert slices["image_size"]["small"].value("auc") == pytest.approx(expected)


def test_controls_are_of_the_features_and_of_the_blanked_films(measured: Result) -> None:
    test, blanked = predictions(1), predictions(3)
    controls = measured.controls
    aspect = roc_auc_score(test.labels, test.widths / test.heights)
    assert controls["aspect_ratio"].auc == pytest.approx(1.0 - aspect)
    assert controls["aspect_ratio"].direction == "lower"
    for name, values in (("file_size", test.sizes), ("mean_brightness", test.means)):
        area = roc_auc_score(test.labels, values)
        assert controls[name].auc == pytest.approx(max(area, 1.0 - area))
    expected = roc_auc_score(blanked.labels, blanked.scores)
    assert controls["lungs_blanked"].auc == pytest.approx(expected)
    assert controls["lungs_blanked"].direction is None


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_on_test_is_no_crash(label: int) -> None:
    one = predictions(1, number=20, label=label)
    found = result_of(one, predictions(2), one)
    assert math.isnan(found.value("auc"))
    assert math.isnan(found.value("balanced_accuracy"))
    assert np.isnan(found.wilson["recall" if label == 0 else "specificity"]).all()
    assert math.isnan(found.controls["file_size"].auc)


def test_constant_scores_are_no_crash() -> None:
    flat = predictions(1)._replace(scores=np.full(200, 0.5, np.float32))
    found = result_of(flat, flat, flat)
    assert found.value("auc") == 0.5
    assert found.interval("auc") == (0.5, 0.5)
    assert math.isnan(found.calibration.slope)
    assert found.value("recall") == 1.0


def test_a_sample_may_have_other_scores() -> None:
    test = predictions(1)
    np.testing.assert_array_equal(to_sample(test).scores, test.scores)
    np.testing.assert_array_equal(to_sample(test, test.sizes).scores, test.sizes)
