"""What the choice of the threshold on eval cost on test."""

from components.reporter.content import format_number
from components.reporter.figures.transfer import POINTS
from components.reporter.tables.table import Table
from components.shared.result import Transfer


def transfer(found: Transfer) -> Table:
    """Returns Youden's J of three thresholds on eval and test."""
    rows = [
        (
            name[0].upper() + name[1:],
            format_number(found.points[key].threshold),
            format_number(found.points[key].eval_j),
            format_number(found.points[key].test_j),
        )
        for key, name in POINTS.items()
    ]
    header = ("Threshold", "Value", "J on eval", "J on test")
    return Table("Youden's J at three thresholds", header, rows, (1, 2, 3))


def loss(found: Transfer) -> str:
    """Returns by how much the chosen threshold is worse on test than the best one there."""
    return format_number(found.points["oracle"].test_j - found.points["chosen"].test_j)
