"""ROC and precision-recall curves of a test set, with pointwise bands."""

import numpy as np

from components.shared.result import Curves, PrecisionRecallCurve, RocCurve
from components.shared.statistics.bootstrap import Bootstrap, Sample, percentile_band
from components.shared.statistics.tally import Tally, ratio, roc

# Hundredths as the division of whole numbers gives them: equal to a rate that equals them.
GRID = np.arange(101) / 100


def true_positive_rates(films: Tally) -> np.ndarray:
    """Returns the ROC curve on the grid of false positive rates, [B, 101].

    Between two operating points it is the straight line, as in the area; where the curve rises
    straight up, its upper end. NaN where a class is missing.
    """
    points = roc(films)
    # Not 1 - specificity, which is off by a rounding.
    across = ratio(points.fp, points.fp[:, -1:])
    return np.array(
        [np.interp(GRID, x, y) for x, y in zip(across, points.sensitivity, strict=True)]
    )


def precisions(films: Tally) -> np.ndarray:
    """Returns the precision on the grid of recalls, [B, 101]; NaN where no film is positive.

    At a recall it is the precision of the highest threshold that reaches it: the steps of average
    precision. A straight line between two points would be too high (Davis & Goadrich 2006).
    """
    points = roc(films)
    precision = ratio(points.tp, points.tp + points.fp)[:, 1:]
    recall = points.sensitivity[:, 1:]
    return np.array([_steps(x, y) for x, y in zip(recall, precision, strict=True)])


def _steps(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    if np.isnan(recall[-1]):
        return np.full(GRID.size, np.nan)
    # A resample may hold no film of the highest scores: a precision begins at its first film.
    called = ~np.isnan(precision)
    return precision[called][np.searchsorted(recall[called], GRID)]


def curves(sample: Sample, bootstrap: Bootstrap) -> Curves:
    """Returns the two curves with pointwise 95 % bands, 101 numbers each."""

    def both(films: Tally) -> dict[str, np.ndarray]:
        return {"roc": true_positive_rates(films), "precision_recall": precisions(films)}

    value = sample.value(both)
    drawn = bootstrap.distribution(sample, both)
    bands = {}
    for kind in value:
        low, high = percentile_band(drawn[kind])
        bands[kind] = {"low": low, "high": high}
    return Curves(
        roc=RocCurve(
            false_positive_rate=GRID.tolist(),
            true_positive_rate=value["roc"].tolist(),
            **bands["roc"],
        ),
        precision_recall=PrecisionRecallCurve(
            recall=GRID.tolist(),
            precision=value["precision_recall"].tolist(),
            **bands["precision_recall"],
        ),
    )
