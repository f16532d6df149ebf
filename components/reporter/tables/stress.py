"""What the model says of changed films, and what of a film it follows within a class."""

from collections.abc import Mapping
from typing import Any

from components.reporter.content import MISSING, finite, format_estimate, format_number
from components.reporter.figures.stress import change_name
from components.reporter.tables.metrics import short_title
from components.reporter.tables.table import Table
from components.shared.features import CLASSES

_SHOWN = ("auc", "recall", "specificity", "balanced_accuracy")
_FEATURES = {
    "aspect_ratio": "Aspect ratio, width over height",
    "file_size": "Size of the file",
    "mean_brightness": "Brightness",
    "sharpness": "Sharpness",
}


def changed(found: Mapping[str, Any], split: str) -> Table:
    """Returns the metrics of each change, those of the films as they are first.

    Args:
        found: `stress` of metrics.json, of one split.
        split: its name.
    """
    measured = {
        "as they are": found["unchanged"],
        **{change_name(change): change for change in found["changes"]},
    }
    rows = [
        (
            name,
            *(format_estimate(of.get(metric), of["intervals"].get(metric)) for metric in _SHOWN),
        )
        for name, of in measured.items()
    ]
    header = ("Films", *(short_title(metric) for metric in _SHOWN))
    caption = f"Changed films of {split}: {found['films']} films of {found['patients']} patients"
    return Table(caption, header, rows, range(1, len(header)))


def summary(found: Mapping[str, Any]) -> Table:
    """Returns the lowest and the mean balanced accuracy, by split."""
    rows = [
        (
            split,
            format_number(of["unchanged"].get("balanced_accuracy")),
            format_number(of.get("mean")),
            format_number(of.get("lowest")),
            _worst(of),
        )
        for split, of in found.items()
    ]
    header = ("Split", "As they are", "Mean over the changes", "Lowest", "There")
    return Table("Balanced accuracy on changed films", header, rows, (1, 2, 3))


def _worst(found: Mapping[str, Any]) -> str:
    known = [
        change for change in found["changes"] if finite(change["balanced_accuracy"]) is not None
    ]
    if not known:
        return MISSING
    return change_name(min(known, key=lambda change: change["balanced_accuracy"]))


def correlations(metrics: Mapping[str, Any]) -> Table:
    """Returns how the log odds go along with features of the film within each class."""
    found = metrics.get("correlations") or {}
    rows = [
        (title, *(_correlation(found.get(name) or {}, feature) for name in CLASSES))
        for feature, title in _FEATURES.items()
        if found
    ]
    caption = "Correlation with the log odds of pneumonia, within each class"
    return Table(caption, ("Feature of the film", *CLASSES), rows, (1, 2))


def _correlation(found: Mapping[str, Any], feature: str) -> str:
    measured = found.get(feature) or {}
    return format_estimate(measured.get("r"), measured.get("interval"))
