"""May this model be served? Bounds on its test metrics, and the champion beside it."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """One bound: the value must be at least `bound`."""

    value: float
    bound: float
    passed: bool


def judge(
    metrics: Mapping[str, Any],
    bounds: Mapping[str, float | None],
    champion: Mapping[str, Any] | None,
    tolerance: float,
) -> dict[str, Verdict]:
    """Holds a model against the bounds and against the model that is served now.

    Args:
        metrics: of the candidate, see `binary_metrics`.
        bounds: lowest value by metric; None switches a bound off.
        champion: the same metrics of the served model on the same test split, or None.
        tolerance: by how much AUC and balanced accuracy may fall below the champion's.

    Returns:
        A verdict for each bound; a value that is not a number passes none.
    """
    values = {name: (float(metrics[name]), bound) for name, bound in bounds.items()}
    if champion is not None:
        values["champion_auc"] = (float(metrics["auc"]), float(champion["auc"]) - tolerance)
        values["champion_balanced_accuracy"] = (
            balanced_accuracy(metrics),
            balanced_accuracy(champion) - tolerance,
        )
    return {
        name: Verdict(value, bound, math.isfinite(value) and value >= bound)
        for name, (value, bound) in values.items()
        if bound is not None
    }


def balanced_accuracy(metrics: Mapping[str, Any]) -> float:
    """Returns the mean of recall and specificity."""
    return (float(metrics["recall"]) + float(metrics["specificity"])) / 2.0
