"""What the report is made of, and how its numbers are written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from components.shared.result import Result

# A value that is not there, or that has no meaning (a ratio of nothing to nothing).
MISSING = "\N{EN DASH}"

_DECIMALS = 3
_MOST_DECIMALS = 9  # a float32 has no more


@dataclass(frozen=True)
class Content:
    """The results of one run.

    Attributes:
        metrics: the content of metrics.json: what the run is, and the evaluator's `result`.
        predictions: one row a film of eval and test: `split`, `file_name`, `patient`, `label`
            (0 or 1), `subtype`, `probability`.
        history: one row an epoch: `epoch`, `loss`, `accuracy`, `eval_loss`, `eval_auc`.
        quarantine: the files put aside, (file, reason) each.
        config: the resolved configuration, nested.
        lineage: one row a node: `node`, `execution` (its id in ML Metadata), `state` (`COMPLETE`
            or `CACHED`), `outputs`, a list of `key`, `artifact` (id) and `uri`.
        pictures: the PNG files that the result's `errors` name under `picture`.

    Raises:
        ValueError: the metrics hold no result of this version.
    """

    metrics: Mapping[str, Any]
    predictions: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, float]]
    quarantine: Sequence[tuple[str, str]]
    config: Mapping[str, Any]
    lineage: Sequence[Mapping[str, Any]]
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads the result, so that content which has none is not made."""
        _ = self.result

    @cached_property
    def result(self) -> Result:
        """What the evaluator wrote."""
        return Result.of_metrics(self.metrics)

    @property
    def measured(self) -> list[Mapping[str, Any]]:
        """The predictions of the split that the metrics were measured on."""
        return [row for row in self.predictions if row["split"] == self.result.split]

    def labels_and_scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels [N] and probabilities [N] of the measured split."""
        rows = self.measured
        labels = np.asarray([row["label"] for row in rows], int)
        return labels, np.asarray([row["probability"] for row in rows], float)


def finite(value: float | None) -> float | None:
    """Returns the value, None where it is not a finite number."""
    return value if value is not None and math.isfinite(value) else None


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """Returns the values as an array [N], with NaN for None."""
    return np.asarray(values, float)


def format_number(value: float | None, decimals: int = _DECIMALS) -> str:
    """Returns a number with a fixed count of decimals; a dash for None and NaN."""
    number = finite(value)
    return MISSING if number is None else f"{number:.{decimals}f}"


def format_pair(first: float | None, second: float | None) -> tuple[str, str]:
    """Returns two numbers with as many decimals, three at least, as tell them apart.

    Where 0.8999 misses a bound of 0.9, "0.900 misses 0.900" would read as a mistake.
    """
    for decimals in range(_DECIMALS, _MOST_DECIMALS + 1):
        pair = format_number(first, decimals), format_number(second, decimals)
        if pair[0] != pair[1]:
            return pair
    return format_number(first), format_number(second)


def format_interval(bounds: Sequence[float | None] | None) -> str:
    """Returns `low to high`; a dash where either bound is missing."""
    known = [bound for bound in bounds or () if finite(bound) is not None]
    return " to ".join(map(format_number, known)) if len(known) == 2 else MISSING


def format_estimate(value: float | None, bounds: Sequence[float | None] | None) -> str:
    """Returns `value (low to high)`; the value alone where there is no interval."""
    interval = format_interval(bounds)
    return format_number(value) + ("" if interval == MISSING else f" ({interval})")


def format_percent(value: float | None) -> str:
    """Returns a share as a whole per cent: `5 %`; a dash for None and NaN."""
    number = finite(value)
    return MISSING if number is None else f"{100 * number:.0f} %"


def format_seconds(value: float | None) -> str:
    """Returns a duration: `4.2 s`, `3 min 05 s` or `2 h 07 min`; a dash for None and NaN."""
    number = finite(value)
    if number is None:
        return MISSING
    if round(number, 1) < 60:
        return f"{number:.1f} s"
    minutes, seconds = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
