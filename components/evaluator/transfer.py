"""Does the threshold that was best on eval stay good on test? Youden's J of both, side by side."""

import numpy as np

from components.shared.result import Transfer, TransferPoint
from components.shared.statistics.bootstrap import Sample
from components.shared.statistics.tally import ratio, roc, tally

GRID = np.arange(201) / 200


def youden_j(sample: Sample, thresholds: np.ndarray) -> np.ndarray:
    """Returns sensitivity + specificity - 1 of the rule `score >= threshold`, as float32.

    Args:
        sample: scored films.
        thresholds: [K].

    Returns:
        [K]; NaN where a class is missing.
    """
    labels = sample.labels.astype(bool)
    called = sample.scores.astype(np.float32) >= thresholds.astype(np.float32)[:, np.newaxis]
    sensitivity = ratio((called & labels).sum(axis=1), labels.sum())
    return sensitivity - ratio((called & ~labels).sum(axis=1), (~labels).sum())


def best_threshold(sample: Sample) -> float:
    """Returns a score of the highest J, of several the lowest; NaN where a class is missing."""
    points = roc(tally(sample.labels, sample.scores))
    j = (points.sensitivity + points.specificity - 1.0)[0]
    if np.isnan(j).any():
        return float("nan")
    # Sums of ratios of whole numbers: equal ones may differ by a rounding.
    return float(points.thresholds[np.flatnonzero(j >= j.max() - 1e-12)[-1]])


def threshold_transfer(evaluation: Sample, test: Sample, chosen: float) -> Transfer:
    """Returns J by threshold on eval and on test, and three thresholds among them.

    Args:
        evaluation: films of the eval split, on which the threshold was chosen.
        test: films of the test split.
        chosen: the threshold.

    Returns:
        `thresholds` (201 of them, 0 to 1), `eval` and `test` (J at each), and `points`: `chosen`,
        `half` (0.5) and `oracle` (the best on test, which nobody has before), each with
        `threshold`, `eval_j` and `test_j`.
    """
    named = {"chosen": chosen, "half": 0.5, "oracle": best_threshold(test)}
    at = np.array(list(named.values()))
    eval_j, test_j = youden_j(evaluation, at), youden_j(test, at)
    return Transfer(
        thresholds=GRID.tolist(),
        eval=youden_j(evaluation, GRID).tolist(),
        test=youden_j(test, GRID).tolist(),
        points={
            name: TransferPoint(
                threshold=float(at[row]), eval_j=float(eval_j[row]), test_j=float(test_j[row])
            )
            for row, name in enumerate(named)
        },
    )
