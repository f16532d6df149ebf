"""The numbers of the first screen."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from components.reporter.content import (
    MISSING,
    Content,
    format_interval,
    format_number,
    format_pair,
)
from components.reporter.tables.metrics import short_title


class Headline(NamedTuple):
    """One number of the first screen; `champion` is the same of the served model, or None."""

    name: str
    meaning: str
    value: str
    interval: str
    champion: str | None


def headlines(metrics: Mapping[str, Any]) -> list[Headline]:
    """Returns the numbers that a reader looks for first."""
    meanings = {
        "recall": "of the pneumonias are found",
        "specificity": "of the normals are cleared",
        "auc": "of pairs: the pneumonia scores above the normal",
        "precision": "of the calls of pneumonia are right",
        "accuracy": "of all films are read right",
        "f1": "harmonic mean of precision and sensitivity",
    }
    intervals, champion = metrics.get("intervals") or {}, metrics.get("champion")
    return [
        Headline(
            short_title(name),
            meaning,
            format_number(metrics.get(name)),
            format_interval(intervals.get(name)),
            format_number(champion.get(name)) if champion else None,
        )
        for name, meaning in meanings.items()
    ]


def measured(content: Content) -> dict[str, Any]:
    """Returns what the numbers were measured on."""
    rows = content.measured
    return {
        "split": content.metrics["split"],
        "films": len(rows),
        "pneumonias": sum(int(row["label"]) for row in rows),
        "patients": len({row["patient"] for row in rows}),
        "resamples": content.metrics.get("bootstrap_resamples") or MISSING,
    }


_HIGHEST = "It is where Youden's J, sensitivity + specificity - 1, is highest"
_RULES = {
    "calibrated": f"{_HIGHEST} by an estimate from all films of the eval split",
    "maximum": f"{_HIGHEST} on the films of the eval split",
}


def operating_point(metrics: Mapping[str, Any]) -> dict[str, str] | None:
    """Returns the threshold and how it was chosen."""
    youden = metrics.get("youden")
    if not youden:
        return None
    lowest, highest = format_pair(youden.get("lowest"), youden.get("highest"))
    return {
        "threshold": format_number(metrics.get("threshold")),
        "how": _RULES[youden.get("rule", "maximum")],
        "sensitivity": format_number(youden.get("sensitivity")),
        "specificity": format_number(youden.get("specificity")),
        "j": format_number(youden.get("j")),
        "lowest": lowest,
        "highest": highest,
    }
