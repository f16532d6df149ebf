"""Other operating points than Youden's: a wanted sensitivity, a wanted specificity."""

from functools import partial

import numpy as np

from components.evaluator.metrics import binary_metrics, bootstrap_intervals
from components.shared.result import Estimate, Measured, OperatingPoint
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.metrics import RATES, measured
from components.shared.statistics.tally import Roc, Tally, roc, tally

# Read off the test split's ROC curve.
_READ_OFF = (0.90, 0.95)
# Chosen on eval.
_SENSITIVITY = 0.95
_SPECIFICITY = 0.90


def sensitivity_at_specificity(films: Tally, wanted: float) -> np.ndarray:
    """Returns the highest sensitivity of a threshold whose specificity is `wanted` at least, [B].

    Of the thresholds as they are, without a line between them. NaN where a class is missing.
    """
    points = roc(films)
    return _best(points.sensitivity, points.specificity, wanted)


def specificity_at_sensitivity(films: Tally, wanted: float) -> np.ndarray:
    """Returns the highest specificity of a threshold whose sensitivity is `wanted` at least, [B].

    Of the thresholds as they are, without a line between them. NaN where a class is missing.
    """
    points = roc(films)
    return _best(points.specificity, points.sensitivity, wanted)


def _best(value: np.ndarray, bound: np.ndarray, wanted: float) -> np.ndarray:
    # One end of the curve meets any bound, so that only a missing class leaves no threshold.
    best = np.where(bound >= wanted, value, -np.inf).max(axis=1)
    return np.where(np.isfinite(best), best, np.nan)


def points_on_test(sample: Sample, bootstrap: Bootstrap) -> dict[str, dict[str, Estimate]]:
    """Returns what the ROC curve holds at round values, with intervals.

    These thresholds are chosen on the films they are measured on: for comparison with published
    figures, not a promise.

    Returns:
        {`sensitivity_at_specificity` or `specificity_at_sensitivity`: {"0.90" or "0.95": rate}}.
    """
    kinds = {
        "sensitivity_at_specificity": sensitivity_at_specificity,
        "specificity_at_sensitivity": specificity_at_sensitivity,
    }

    def all_points(films: Tally) -> dict[str, np.ndarray]:
        return {
            f"{kind} {wanted}": read(films, wanted)
            for kind, read in kinds.items()
            for wanted in _READ_OFF
        }

    value, intervals = sample.value(all_points), bootstrap.intervals(sample, all_points)
    return {
        kind: {
            f"{wanted:.2f}": Estimate(
                value=float(value[f"{kind} {wanted}"]), interval=intervals[f"{kind} {wanted}"]
            )
            for wanted in _READ_OFF
        }
        for kind in kinds
    }


def threshold_of_sensitivity(points: Roc, wanted: float) -> float:
    """Returns the highest threshold whose sensitivity is `wanted` at least: a score.

    Args:
        points: of one resample.
        wanted: 0 to 1, more than 0.
    """
    # Sensitivity rises along the points: the first that reaches it is the most specific.
    return float(points.thresholds[int(np.argmax(points.sensitivity[0] >= wanted))])


def threshold_of_specificity(points: Roc, wanted: float) -> float:
    """Returns the lowest threshold whose specificity is `wanted` at least.

    Args:
        points: of one resample.
        wanted: 0 to 1.

    Returns:
        A score; where even the highest score calls too many, the next float32 above it.
    """
    last = int(np.flatnonzero(points.specificity[0] >= wanted)[-1])
    if last == 0:
        return float(np.nextafter(np.float32(points.thresholds[1]), np.float32(np.inf)))
    return float(points.thresholds[last])


def operating_points(
    evaluation: Sample, test: Sample, bootstrap: Bootstrap
) -> dict[str, OperatingPoint]:
    """Chooses two operating points on eval and measures them on test.

    Args:
        evaluation: films of the eval split, of both classes.
        test: films of the test split.
        bootstrap: for the intervals on test.

    Returns:
        `sensitivity_95` and `specificity_90`.

    Raises:
        ValueError: the eval split holds one class only.
    """
    if evaluation.labels.all() or not evaluation.labels.any():
        raise ValueError("the eval split must hold films of both classes")
    points = roc(tally(evaluation.labels, evaluation.scores))
    chosen = {
        "sensitivity_95": (
            f"sensitivity at least {_SENSITIVITY:.2f} on eval",
            threshold_of_sensitivity(points, _SENSITIVITY),
        ),
        "specificity_90": (
            f"specificity at least {_SPECIFICITY:.2f} on eval",
            threshold_of_specificity(points, _SPECIFICITY),
        ),
    }
    return {
        name: OperatingPoint(
            rule=rule,
            threshold=threshold,
            eval=_rates(evaluation, threshold),
            test=binary_metrics(test.labels, test.scores, threshold),
            intervals=bootstrap_intervals(test, threshold, bootstrap, RATES),
        )
        for name, (rule, threshold) in chosen.items()
    }


def _rates(sample: Sample, threshold: float) -> Measured:
    found = sample.value(partial(measured, threshold=threshold, names=RATES))
    return Measured(**{name: float(value) for name, value in found.items()})
