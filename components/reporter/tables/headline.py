"""The numbers of the first screen."""

from typing import Any, NamedTuple

from components.reporter.content import Content, format_interval, format_number, format_pair
from components.shared.result import Result
from components.shared.statistics.metrics import METRICS


class Headline(NamedTuple):
    """One number of the first screen; `champion` is the same of the served model, or None."""

    name: str
    meaning: str
    value: str
    interval: str
    champion: str | None


def headlines(result: Result) -> list[Headline]:
    """Returns the numbers that a reader looks for first."""
    return [
        Headline(
            metric.short_title,
            metric.meaning,
            format_number(result.value(name)),
            format_interval(result.interval(name)),
            format_number(result.champion.value(name)) if result.champion else None,
        )
        for name, metric in METRICS.items()
        if metric.meaning
    ]


def measured(content: Content) -> dict[str, Any]:
    """Returns what the numbers were measured on."""
    rows = content.measured
    return {
        "split": content.result.split,
        "films": len(rows),
        "pneumonias": sum(int(row["label"]) for row in rows),
        "patients": len({row["patient"] for row in rows}),
        "resamples": content.result.bootstrap_resamples,
    }


_HIGHEST = "It is where Youden's J, sensitivity + specificity - 1, is highest"
_RULES = {
    "calibrated": f"{_HIGHEST} by an estimate from all films of the eval split",
    "maximum": f"{_HIGHEST} on the films of the eval split",
}


def operating_point(result: Result) -> dict[str, str] | None:
    """Returns how the threshold was chosen; None where there is none."""
    youden = result.youden
    if youden is None:
        return None
    lowest, highest = format_pair(youden.lowest, youden.highest)
    return {
        "how": _RULES[youden.rule],
        "sensitivity": format_number(youden.sensitivity),
        "specificity": format_number(youden.specificity),
        "j": format_number(youden.j),
        "lowest": lowest,
        "highest": highest,
    }
