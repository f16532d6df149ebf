"""The metrics of parts of the measured split."""

from collections.abc import Mapping
from typing import Any

from components.evaluator.cohorts import STREAM_SLICE, SUBTYPE_SLICE
from pipeline.report.content import MISSING, format_estimate
from pipeline.report.tables.metrics import short_title
from pipeline.report.tables.table import Table

_CAPTIONS = {
    SUBTYPE_SLICE: "One subtype of pneumonia against all normal films",
    STREAM_SLICE: "One stream of normal films against all pneumonias",
    "image_size": "By size of the film in pixels, in thirds",
    "films_of_patient": "By films of the same patient",
}
_SHOWN = ("auc", "recall", "specificity")


def slices(metrics: Mapping[str, Any]) -> list[Table]:
    """Returns a table for each kind of slice."""
    header = ("Slice", "Films", "Patients", *(short_title(name) for name in _SHOWN))
    return [
        Table(
            _CAPTIONS.get(kind, kind),
            header,
            [_row(cohort, found) for cohort, found in cohorts.items()],
            range(1, len(header)),
        )
        for kind, cohorts in (metrics.get("slices") or {}).items()
    ]


def _row(cohort: str, found: Mapping[str, Any]) -> list[str]:
    intervals = found.get("intervals") or {}
    return [
        cohort,
        str(found.get("films", MISSING)),
        str(found.get("patients", MISSING)),
        *(format_estimate(found.get(name), intervals.get(name)) for name in _SHOWN),
    ]
