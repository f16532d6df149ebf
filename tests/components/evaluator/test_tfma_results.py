"""TFMA's metrics are those of scikit-learn, of a net that is sure of itself too."""

from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from scipy.special import expit
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from components.evaluator.predictions import Predictions
from components.evaluator.tfma_results import auc_thresholds, write_results

NUMBER = 400


def confident() -> Predictions:
    """Films most of which are scored within 1e-6 of 0 or of 1."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, NUMBER)
    odds = rng.normal(0.0, 16.0, NUMBER) + 12.0 * (2 * labels - 1)
    return Predictions(
        file_names=[f"{film:03d}" for film in range(NUMBER)],
        patients=[f"p{film}" for film in range(NUMBER)],
        labels=labels,
        subtypes=["virus" if label else "normal" for label in labels],
        widths=np.ones(NUMBER),
        heights=np.ones(NUMBER),
        means=np.ones(NUMBER),
        sizes=np.ones(NUMBER),
        sharpness=np.ones(NUMBER),
        scores=expit(odds).astype(np.float32),
    )


@pytest.fixture(scope="module")
def threshold() -> float:
    """One of the normal films' scores, so that a film lies on it."""
    films = confident()
    normal = films.scores[films.labels == 0]
    return float(normal[np.abs(normal - 0.5).argmin()])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, threshold: float) -> dict[Any, Any]:
    folder = str(tmp_path_factory.mktemp("tfma"))
    with beam.Pipeline() as pipeline:
        write_results(pipeline, confident(), threshold, folder)
    slices = tfma.load_eval_result(folder).slicing_metrics
    return {key: values[""][""] for key, values in slices}


def value(found: dict[Any, Any], name: str) -> float:
    return float(found[name]["doubleValue"])


def test_the_area_is_exact_where_most_scores_crowd(found: dict[Any, Any]) -> None:
    films = confident()
    assert (np.abs(films.scores - 0.5) > 0.5 - 1e-6).mean() > 0.4
    expected = roc_auc_score(films.labels, films.scores)
    assert expected < 0.98
    assert value(found[()], "auc") == pytest.approx(expected, abs=1e-6)
    (virus,) = (values for key, values in found.items() if key and key[0][1] == "virus")
    assert value(virus, "auc") == pytest.approx(expected, abs=1e-6)


def test_a_score_at_the_threshold_is_positive(found: dict[Any, Any], threshold: float) -> None:
    films = confident()
    called = films.scores >= np.float32(threshold)
    # Were it not, one more normal film would be cleared.
    cleared = recall_score(1 - films.labels, ~called)
    assert value(found[()], "specificity") == pytest.approx(cleared)
    assert value(found[()], "recall") == pytest.approx(recall_score(films.labels, called))
    assert value(found[()], "precision") == pytest.approx(precision_score(films.labels, called))


def test_of_many_scores_as_many_thresholds_lie_as_the_scores_do() -> None:
    scores = expit(np.random.default_rng(1).normal(0.0, 12.0, 20_000)).astype(np.float32)
    thresholds = np.array(auc_thresholds(scores))
    assert len(thresholds) <= 2001
    assert (thresholds == np.unique(thresholds)).all()
    assert (thresholds < 1e-3).mean() == pytest.approx((scores < 1e-3).mean(), abs=0.05)
    assert auc_thresholds(np.array([0.5, 0.25, 0.5], np.float32)) == [-1e-7, 0.25, 0.5]
