"""The films: what became of each, whether splits overlap, and what gives the label away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from components.reporter.content import MISSING, format_interval, format_number
from components.reporter.tables.table import Badge, Table
from components.shared.features import CLASSES, SPLITS

QUARANTINE_ROWS = 200
_FATES = ("kept", "undersampled", "duplicate", "quarantined")
_CONTROLS = {
    "aspect_ratio": "Width over height of the film",
    "file_size": "Bytes of the file",
    "mean_brightness": "Mean brightness",
    "lungs_blanked": "The model, on films with the lungs blanked",
}


def counts(metrics: Mapping[str, Any]) -> Table:
    """Returns how many files became what, by split and class, with the sums."""
    found = metrics.get("counts") or {}
    known = {split for by_split in found.values() for split in by_split}
    splits = [*(split for split in SPLITS if split in known), *sorted(known - set(SPLITS))]
    totals: Counter[str] = Counter()
    rows = []
    for split in splits:
        for name in CLASSES:
            numbers = {fate: found.get(fate, {}).get(split, {}).get(name, 0) for fate in _FATES}
            totals.update(numbers)
            rows.append((f"{split}, {name}", *map(str, numbers.values())))
    rows.append(("all", *(str(totals[fate]) for fate in _FATES)))
    header = ("Split and class", *(fate.capitalize() for fate in _FATES))
    return Table("Files by what became of them", header, rows, range(1, len(header)))


def quarantine(files: Sequence[tuple[str, str]]) -> Table:
    """Returns the first of the files that were put aside."""
    return Table("Files put aside", ("File", "Reason"), files[:QUARANTINE_ROWS])


def overlap(metrics: Mapping[str, Any]) -> Table:
    """Returns how many patients and images two splits share."""
    found = metrics.get("overlap") or {}
    patients, images = found.get("patients") or {}, found.get("images") or {}
    rows = [(pair, _shared(patients, pair), _shared(images, pair)) for pair in patients]
    header = ("Splits", "Patients in both", "Images in both")
    return Table("What the splits share, counted again from the Examples", header, rows)


def controls(metrics: Mapping[str, Any]) -> Table:
    """Returns how well the films can be told apart without looking at the lungs."""
    rows: list[Sequence[str]] = [
        (
            _CONTROLS.get(name, name),
            format_number(found.get("auc")),
            format_interval(found.get("interval")),
            found.get("direction") or MISSING,
        )
        for name, found in (metrics.get("controls") or {}).items()
        if found
    ]
    if rows:
        interval = format_interval((metrics.get("intervals") or {}).get("auc"))
        rows.append(("The model itself", format_number(metrics.get("auc")), interval, "higher"))
    header = ("Score", "AUC alone", "95 % interval", "Which speaks for pneumonia")
    return Table("What tells the classes apart besides the lungs", header, rows, (1, 2))


def _shared(found: Mapping[str, int], pair: str) -> str | Badge:
    if pair not in found:
        return MISSING
    return Badge(str(found[pair]), "bad" if found[pair] else "good")
