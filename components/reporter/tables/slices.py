"""The metrics of parts of the measured split."""

from collections.abc import Iterable, Mapping, Sequence

from components.reporter.content import format_estimate
from components.reporter.tables.table import Table
from components.shared.artifacts import FILMS_SLICE, SIZE_SLICE, STREAM_SLICE, SUBTYPE_SLICE
from components.shared.result import Slice
from components.shared.statistics.metrics import METRICS

_CAPTIONS = {
    SUBTYPE_SLICE: "One subtype of pneumonia against all normal films",
    STREAM_SLICE: "One stream of normal films against all pneumonias",
    SIZE_SLICE: "By size of the film in pixels, in thirds",
    FILMS_SLICE: "By films of the same patient",
}
_COHORTS = ("small", "middle", "large")  # in order of size; others in that of the run
_SHOWN = ("auc", "recall", "specificity")


def slices(kinds: Mapping[str, Mapping[str, Slice]]) -> list[Table]:
    """Returns a table for each kind of slice."""
    header = ("Slice", "Films", "Patients", *(METRICS[name].short_title for name in _SHOWN))
    return [
        Table(
            _CAPTIONS.get(kind, kind),
            header,
            [_row(cohort, kinds[kind][cohort]) for cohort in _ordered(kinds[kind], _COHORTS)],
            range(1, len(header)),
        )
        for kind in _ordered(kinds, tuple(_CAPTIONS))
    ]


def _ordered(found: Iterable[str], first: Sequence[str]) -> list[str]:
    """Returns the names, those in `first` before the others."""
    names = list(found)
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _row(cohort: str, found: Slice) -> list[str]:
    return [
        cohort,
        str(found.films),
        str(found.patients),
        *(format_estimate(found.value(name), found.interval(name)) for name in _SHOWN),
    ]
