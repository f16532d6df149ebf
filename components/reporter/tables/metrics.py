"""Every metric, and the points that may be read off the curves."""

from collections.abc import Sequence

from components.reporter.content import format_estimate, format_interval, format_number
from components.reporter.tables.table import Table
from components.shared.features import EVAL
from components.shared.result import Result
from components.shared.statistics.metrics import METRICS, RATES

_READ_OFF = {
    "sensitivity_at_specificity": "Sensitivity at specificity",
    "specificity_at_sensitivity": "Specificity at sensitivity",
}
_RULES = {"sensitivity_95": "Sensitive", "specificity_90": "Specific"}


def all_metrics(result: Result) -> Table:
    """Returns every metric: with its intervals, on eval, and of the champion."""
    header = [
        "Metric",
        f"On {result.split}",
        "95 % interval, patients resampled",
        "Wilson interval, films as independent",
        f"On {EVAL}",
    ]
    if result.champion:
        header.append(f"Champion, on {result.split}")
    rows = []
    for name, metric in METRICS.items():
        row = [
            metric.title,
            format_number(result.value(name)),
            format_interval(result.interval(name)),
            format_interval(result.wilson.get(name)),
            format_number(result.eval.value(name)),
        ]
        if result.champion:
            row.append(format_number(result.champion.value(name)))
        rows.append(row)
    return Table("All metrics", header, rows, range(1, len(header)))


def points_on_test(result: Result) -> Table:
    """Returns the points that the literature compares, read off the measured ROC curve."""
    rows = [
        (f"{title} {at}", format_number(point.value), format_interval(point.interval))
        for kind, title in _READ_OFF.items()
        for at, point in result.points_on_test[kind].items()
    ]
    caption = f"Read off the ROC curve of {result.split}"
    return Table(caption, ("Point", "Value", "95 % interval"), rows, (1, 2))


def operating_points(result: Result) -> Table:
    """Returns the thresholds that may be used instead, each chosen on eval by a rule."""
    rows: list[Sequence[str]] = [
        (
            _RULES.get(name, name),
            point.rule,
            format_number(point.threshold),
            *(format_number(point.eval.value(rate)) for rate in RATES),
            *(format_estimate(point.test.value(rate), point.intervals[rate]) for rate in RATES),
        )
        for name, point in result.operating_points.items()
    ]
    header = (
        "Operating point",
        "Rule",
        "Threshold",
        "Sensitivity, eval",
        "Specificity, eval",
        f"Sensitivity, {result.split}",
        f"Specificity, {result.split}",
    )
    return Table("Other thresholds, chosen on eval", header, rows, range(2, len(header)))
