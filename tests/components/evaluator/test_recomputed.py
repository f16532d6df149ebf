"""What a whole run wrote, computed again from its predictions by scikit-learn and the films."""

import csv
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from conftest import FinishedRun
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from tfx.utils import path_utils

from components.evaluator.blanking import blank_centre, encode_png
from components.films.picture import decode_grey
from components.shared.result import Result
from components.shared.statistics.bootstrap import Bootstrap


def rows(run: FinishedRun, split: str) -> list[dict[str, str]]:
    folder = run.nodes["YoudenEvaluator"].output("evaluation").uri
    with open(f"{folder}/predictions.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def labels_and_scores(run: FinishedRun, split: str) -> tuple[np.ndarray, np.ndarray]:
    found = rows(run, split)
    return (
        np.array([int(row["label"]) for row in found]),
        np.array([float(row["probability"]) for row in found], np.float32),
    )


def test_the_threshold_is_of_eval_alone(finished_run: FinishedRun) -> None:
    labels, scores = labels_and_scores(finished_run, "eval")
    odds = logit(np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7))[:, np.newaxis]
    line = LogisticRegression(C=1e4, class_weight="balanced").fit(odds, labels)
    estimate = expit(-line.intercept_[0] / line.coef_[0, 0])
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    j = tpr - fpr
    best = np.flatnonzero(j >= j.max() - 1e-12)[-1]
    variance = tpr[best] * (1 - tpr[best]) / labels.sum()
    variance += fpr[best] * (1 - fpr[best]) / (1 - labels).sum()
    called = scores >= np.float32(estimate)
    reached = called[labels == 1].mean() - called[labels == 0].mean()
    rule, expected = "calibrated", estimate
    if reached < j.max() - np.sqrt(variance) - 1e-12:
        rule, expected = "maximum", (thresholds[best] + thresholds[best + 1]) / 2
    metrics = finished_run.metrics
    assert metrics["threshold"] == pytest.approx(expected, abs=1e-6)
    youden = metrics["youden"]
    assert (youden["rule"], youden["highest_j"]) == (rule, pytest.approx(j.max()))
    called = scores >= np.float32(metrics["threshold"])
    assert youden["sensitivity"] == pytest.approx(called[labels == 1].mean())
    assert youden["specificity"] == pytest.approx((~called)[labels == 0].mean())
    assert metrics["eval"]["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert metrics["eval"]["recall"] == youden["sensitivity"]


def test_the_first_model_of_a_folder_meets_no_champion(finished_run: FinishedRun) -> None:
    assert finished_run.metrics["champion"] is None
    assert finished_run.metrics["champion_lost"] == ""
    assert not [name for name in finished_run.metrics["gate"] if "champion" in name]


def test_the_blanked_films_are_the_same_films_without_their_middle(
    finished_run: FinishedRun,
) -> None:
    labels, _ = labels_and_scores(finished_run, "test")
    uri = finished_run.nodes["Trainer"].output("model").uri
    model = tf.saved_model.load(path_utils.serving_model_path(uri))
    films = [
        encode_png(blank_centre(decode_grey((finished_run.data / row["file_name"]).read_bytes())))
        for row in rows(finished_run, "test")
    ]
    scores = model.signatures["serving_default"](image_bytes=tf.constant(films))["probability"]
    expected = roc_auc_score(labels, scores.numpy())
    found = finished_run.metrics["controls"]["lungs_blanked"]["auc"]
    assert found == pytest.approx(expected)


def test_an_interval_is_of_the_patients_drawn_by_the_runs_seed(finished_run: FinishedRun) -> None:
    labels, scores = labels_and_scores(finished_run, "test")
    patients = np.array([row["patient"] for row in rows(finished_run, "test")])
    drawn = np.concatenate(list(Bootstrap(200, seed=1).weights(patients)))
    areas = [
        roc_auc_score(labels, scores, sample_weight=times)
        for times in drawn
        if (times[labels == 1] > 0).any() and (times[labels == 0] > 0).any()
    ]
    expected = np.percentile(areas, [2.5, 97.5])
    assert finished_run.metrics["intervals"]["auc"] == pytest.approx(expected)


def intervals(value: Any) -> Iterator[tuple[float, float]]:
    """Yields every pair of numbers under a name that says interval."""
    if isinstance(value, list):
        for inner in value:
            yield from intervals(inner)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key in ("intervals", "wilson"):
            yield from inner.values()
        elif key.endswith("interval") and inner is not None:
            yield inner
        else:
            yield from intervals(inner)


def test_the_ends_of_every_interval_are_in_order(finished_run: FinishedRun) -> None:
    found = list(intervals(finished_run.metrics))
    assert len(found) > 100
    assert all(low <= high for low, high in found if low is not None)


def test_the_report_reads_back_what_the_evaluator_wrote(finished_run: FinishedRun) -> None:
    result = Result.of_metrics(finished_run.metrics)
    assert result.value("auc") == finished_run.metrics["auc"]
    assert result.blessed
