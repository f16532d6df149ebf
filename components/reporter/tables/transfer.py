"""What the choice of the threshold on eval cost on test."""

from collections.abc import Mapping
from typing import Any

from components.reporter.content import finite, format_number
from components.reporter.figures.transfer import POINTS
from components.reporter.tables.table import Table


def transfer(found: Mapping[str, Any]) -> Table:
    """Returns Youden's J of three thresholds on eval and test.

    Args:
        found: `threshold_transfer` of metrics.json.
    """
    points = found["points"]
    rows = [
        (
            name[0].upper() + name[1:],
            *(
                format_number((points.get(key) or {}).get(value))
                for value in ("threshold", "eval_j", "test_j")
            ),
        )
        for key, name in POINTS.items()
    ]
    header = ("Threshold", "Value", "J on eval", "J on test")
    return Table("Youden's J at three thresholds", header, rows, (1, 2, 3))


def loss(found: Mapping[str, Any]) -> str:
    """Returns by how much the chosen threshold is worse on test than the best one there."""
    chosen, best = (
        finite((found["points"].get(key) or {}).get("test_j")) for key in ("chosen", "oracle")
    )
    return format_number(None if chosen is None or best is None else best - chosen)
