"""The measures of the test split, put together."""

from typing import Any

import numpy as np

from components.evaluator import cohorts
from components.evaluator.calibration import calibration
from components.evaluator.controls import auc_with_interval, feature_control
from components.evaluator.correlations import correlations
from components.evaluator.curves import curves
from components.evaluator.decision_curve import decision_curve
from components.evaluator.metrics import binary_metrics, bootstrap_intervals, slice_metrics
from components.evaluator.operating_points import operating_points, points_on_test
from components.evaluator.predictions import Predictions
from components.evaluator.prevalence import prevalence_table
from components.evaluator.transfer import threshold_transfer
from components.shared.features import TEST
from components.shared.result import ConfusionMatrix, Control, Interval
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.proportions import wilson_interval


def measure(
    test: Predictions,
    evaluation: Predictions,
    blanked: Predictions,
    threshold: float,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Measures the rule `probability >= threshold` and the probabilities on the test split.

    Args:
        test: predictions of the test split.
        evaluation: predictions of the eval split, on which the threshold was chosen.
        blanked: predictions of the test films without their middle, see `blanking.py`.
        threshold: of the rule.
        bootstrap: the draws of patients.

    Returns:
        Fields of `Result`: the metrics with their intervals, and one a topic.

    Raises:
        ValueError: the eval split holds one class only.
    """
    sample, chosen_on = to_sample(test), to_sample(evaluation)
    intervals = bootstrap_intervals(sample, threshold, bootstrap)
    decided = binary_metrics(test.labels, test.scores, threshold, intervals)
    return {
        **decided.fields(),
        "split": TEST,
        "eval": binary_metrics(evaluation.labels, evaluation.scores, threshold),
        "bootstrap_resamples": bootstrap.resamples,
        "wilson": _wilson(decided.confusion_matrix),
        "curves": curves(sample, bootstrap),
        "points_on_test": points_on_test(sample, bootstrap),
        "operating_points": operating_points(chosen_on, sample, bootstrap),
        "calibration": calibration(sample, bootstrap),
        "prevalence": prevalence_table(sample, threshold, bootstrap),
        "decision_curve": decision_curve(sample),
        "threshold_transfer": threshold_transfer(chosen_on, sample, threshold),
        "slices": slice_metrics(sample, _members(test), threshold, bootstrap),
        "controls": _controls(test, blanked, bootstrap),
        "correlations": correlations(test, bootstrap),
    }


def to_sample(predictions: Predictions, scores: np.ndarray | None = None) -> Sample:
    """Returns the films with the probabilities, or with other scores, [N]."""
    return Sample(
        labels=predictions.labels,
        scores=predictions.scores if scores is None else scores,
        patients=np.array(predictions.patients),
    )


def _wilson(matrix: ConfusionMatrix) -> dict[str, Interval]:
    return {
        "recall": wilson_interval(matrix.tp, matrix.tp + matrix.fn),
        "specificity": wilson_interval(matrix.tn, matrix.tn + matrix.fp),
    }


def _members(test: Predictions) -> list[dict[str, list[str]]]:
    kinds = zip(
        cohorts.cohorts(test.labels.tolist(), test.subtypes, test.patients),
        cohorts.size_cohorts(test.widths * test.heights),
        cohorts.film_count_cohorts(test.patients),
        strict=True,
    )
    return [{**by_class, **by_size, **by_films} for by_class, by_size, by_films in kinds]


def _controls(test: Predictions, blanked: Predictions, bootstrap: Bootstrap) -> dict[str, Control]:
    features = {
        "aspect_ratio": test.widths / test.heights,
        "file_size": test.sizes,
        "mean_brightness": test.means,
    }
    return {
        **{
            name: feature_control(to_sample(test, values), bootstrap)
            for name, values in features.items()
        },
        "lungs_blanked": auc_with_interval(to_sample(blanked), bootstrap),
    }
