"""Every metric, and the points that may be read off the curves."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.reporter.content import MISSING, format_estimate, format_interval, format_number
from components.reporter.tables.table import Table
from components.shared.features import EVAL

TITLES = {
    "recall": "Sensitivity (recall)",
    "specificity": "Specificity",
    "auc": "AUC",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "accuracy": "Accuracy",
    "f1": "F1",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "loss": "Cross-entropy",
}
_READ_OFF = {
    "sensitivity_at_specificity": "Sensitivity at specificity",
    "specificity_at_sensitivity": "Specificity at sensitivity",
}
_RULES = {"sensitivity_95": "Sensitive", "specificity_90": "Specific"}


def short_title(name: str) -> str:
    """Returns the title of a metric where there is little room."""
    return TITLES[name].partition(" (")[0]


def value_of(metrics: Mapping[str, Any], name: str) -> float | None:
    """Returns a metric; the Brier score stands under calibration."""
    place = (metrics.get("calibration") or {}) if name == "brier" else metrics
    found: float | None = place.get(name)
    return found


def all_metrics(metrics: Mapping[str, Any]) -> Table:
    """Returns every metric: with its interval, on eval, and of the champion."""
    champion, wilson = metrics.get("champion"), metrics.get("wilson") or {}
    intervals, evaluation = metrics.get("intervals") or {}, metrics.get("eval") or {}
    split = metrics["split"]
    header = ["Metric", f"On {split}", "95 % interval, patients resampled"]
    if wilson:
        header.append("Wilson interval, films as independent")
    header.append(f"On {EVAL}")
    if champion:
        header.append(f"Champion, on {split}")
    rows = []
    for name, title in TITLES.items():
        value = value_of(metrics, name)
        if value is None and name not in metrics:
            continue
        row = [title, format_number(value), format_interval(intervals.get(name))]
        if wilson:
            row.append(format_interval(wilson.get(name)))
        row.append(format_number(evaluation.get(name)))
        rows.append([*row, format_number(champion.get(name))] if champion else row)
    return Table("All metrics", header, rows, range(1, len(header)))


def points_on_test(metrics: Mapping[str, Any]) -> Table:
    """Returns the points that the literature compares, read off the measured ROC curve."""
    found = metrics.get("points_on_test") or {}
    rows = [
        (f"{title} {at}", format_number(point["value"]), format_interval(point["interval"]))
        for kind, title in _READ_OFF.items()
        for at, point in (found.get(kind) or {}).items()
    ]
    caption = f"Read off the ROC curve of {metrics['split']}"
    return Table(caption, ("Point", "Value", "95 % interval"), rows, (1, 2))


def operating_points(metrics: Mapping[str, Any]) -> Table:
    """Returns the thresholds that may be used instead, each chosen on eval by a rule."""
    split = metrics["split"]
    rows: list[Sequence[str]] = [
        (
            _RULES.get(name, name),
            point.get("rule", MISSING),
            format_number(point["threshold"]),
            *(format_number(point["eval"][metric]) for metric in ("recall", "specificity")),
            *(
                format_estimate(point["test"][metric], (point.get("intervals") or {}).get(metric))
                for metric in ("recall", "specificity")
            ),
        )
        for name, point in (metrics.get("operating_points") or {}).items()
    ]
    header = (
        "Operating point",
        "Rule",
        "Threshold",
        "Sensitivity, eval",
        "Specificity, eval",
        f"Sensitivity, {split}",
        f"Specificity, {split}",
    )
    return Table("Other thresholds, chosen on eval", header, rows, range(2, len(header)))
