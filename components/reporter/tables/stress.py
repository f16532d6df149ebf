"""What the model says of changed films, and what of a film it follows within a class."""

from collections.abc import Mapping

from components.reporter.content import MISSING, finite, format_estimate, format_number
from components.reporter.tables.table import Table
from components.shared.features import CLASSES
from components.shared.result import Correlation, Stress
from components.shared.statistics.metrics import METRICS

_SHOWN = ("auc", "recall", "specificity", "balanced_accuracy")
_FEATURES = {
    "aspect_ratio": "Aspect ratio, width over height",
    "file_size": "Size of the file",
    "mean_brightness": "Brightness",
    "sharpness": "Sharpness",
}


def changed(found: Stress, split: str) -> Table:
    """Returns the metrics of each change, those of the films as they are first.

    Args:
        found: of one split.
        split: its name.
    """
    measured = {
        "as they are": found.unchanged,
        **{change.name: change for change in found.changes},
    }
    rows = [
        (
            name,
            *(format_estimate(of.value(metric), of.interval(metric)) for metric in _SHOWN),
        )
        for name, of in measured.items()
    ]
    header = ("Films", *(METRICS[metric].short_title for metric in _SHOWN))
    caption = f"Changed films of {split}: {found.films} films of {found.patients} patients"
    return Table(caption, header, rows, range(1, len(header)))


def summary(found: Mapping[str, Stress]) -> Table:
    """Returns the lowest and the mean balanced accuracy, by split."""
    rows = [
        (
            split,
            format_number(of.unchanged.value("balanced_accuracy")),
            format_number(of.mean),
            format_number(of.lowest),
            _worst(of),
        )
        for split, of in found.items()
    ]
    header = ("Split", "As they are", "Mean over the changes", "Lowest", "There")
    return Table("Balanced accuracy on changed films", header, rows, (1, 2, 3))


def _worst(found: Stress) -> str:
    known = {change.name: change.value("balanced_accuracy") for change in found.changes}
    known = {name: value for name, value in known.items() if finite(value) is not None}
    return min(known, key=lambda name: known[name]) if known else MISSING


def correlations(found: Mapping[str, Mapping[str, Correlation]]) -> Table:
    """Returns how the log odds go along with features of the film within each class."""
    rows = [
        (title, *(_correlation(found[name][feature]) for name in CLASSES))
        for feature, title in _FEATURES.items()
    ]
    caption = "Correlation with the log odds of pneumonia, within each class"
    return Table(caption, ("Feature of the film", *CLASSES), rows, (1, 2))


def _correlation(found: Correlation) -> str:
    return format_estimate(found.r, found.interval)
