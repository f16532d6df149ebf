"""The films: what became of each, whether splits overlap, and what gives the label away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from components.reporter.content import MISSING, format_interval, format_number
from components.reporter.tables.table import Badge, Table
from components.shared.artifacts import LEFT_OUT
from components.shared.features import CLASSES, SPLITS
from components.shared.result import Control, Result

QUARANTINE_ROWS = 200
_FATES = ("kept", "undersampled", "duplicate", "quarantined")
_CONTROLS = {
    "aspect_ratio": "Width over height of the film",
    "file_size": "Bytes of the file",
    "mean_brightness": "Mean brightness",
    "lungs_blanked": "The model, on films with the lungs blanked",
    "model": "The model itself",
}


def counts(metrics: Mapping[str, Any]) -> Table:
    """Returns how many files became what, by split and class, with the sums."""
    found = {fate: (metrics.get("counts") or {}).get(fate, {}) for fate in _FATES}
    known = {split for by_split in found.values() for split in by_split}
    classes = {name for by_split in found.values() for names in by_split.values() for name in names}
    splits = [*(split for split in SPLITS if split in known), *sorted(known - set(SPLITS))]
    totals: Counter[str] = Counter()
    rows = []
    for split in splits:
        for name in (*CLASSES, *sorted(classes - set(CLASSES))):
            numbers = {fate: found[fate].get(split, {}).get(name, 0) for fate in _FATES}
            totals.update(numbers)
            rows.append((f"{split}, {name}", *map(str, numbers.values())))
    rows.append(("all", *(str(totals[fate]) for fate in _FATES)))
    header = ("Split and class", *(fate.capitalize() for fate in _FATES))
    return Table("Files by what became of them", header, rows, range(1, len(header)))


def left_out(metrics: Mapping[str, Any]) -> Table:
    """Returns how many sound films were left out, by reason, the most first."""
    found = (metrics.get("counts") or {}).get(LEFT_OUT, {})
    rows = [(why, str(count)) for why, count in sorted(found.items(), key=lambda item: -item[1])]
    return Table("Films left out by reason", ("Reason", "Films"), rows, (1,))


def quarantine(files: Sequence[tuple[str, str]]) -> Table:
    """Returns the first of the files that were put aside."""
    return Table("Files put aside", ("File", "Reason"), files[:QUARANTINE_ROWS])


def overlap(found: Mapping[str, Mapping[str, int]]) -> Table:
    """Returns how many patients and images two splits share."""
    rows = [
        (pair, _shared(found["patients"][pair]), _shared(found["images"][pair]))
        for pair in found["patients"]
    ]
    header = ("Splits", "Patients in both", "Images in both")
    return Table("What the splits share, counted again from the Examples", header, rows)


def controls(result: Result) -> Table:
    """Returns how well the films can be told apart without looking at the lungs."""
    itself = Control(auc=result.value("auc"), interval=result.interval("auc"), direction="higher")
    scores = {**result.controls, "model": itself}
    rows = [
        (
            _CONTROLS.get(name, name),
            format_number(found.auc),
            format_interval(found.interval),
            found.direction or MISSING,
        )
        for name, found in scores.items()
    ]
    header = ("Score", "AUC alone", "95 % interval", "Which speaks for pneumonia")
    return Table("What tells the classes apart besides the lungs", header, rows, (1, 2))


def _shared(count: int) -> Badge:
    return Badge(str(count), "bad" if count else "good")
