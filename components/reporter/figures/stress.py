"""Sensitivity and specificity on changed films."""

from matplotlib.figure import Figure

from components.reporter.content import finite, format_number
from components.reporter.figures.canvas import BLUE, QUIET, VERMILION, draw
from components.shared.result import Stress

_ROW = 0.24  # inches
_RATES = {
    "recall": ("sensitivity", BLUE, "o", -0.12),
    "specificity": ("specificity", VERMILION, "s", 0.12),
}


def stress(found: Stress, split: str) -> str:
    """Returns both rates for each change with their intervals, beside those of unchanged films.

    Args:
        found: of one split.
        split: its name.
    """
    changes = found.changes

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, (title, colour, shape, offset) in _RATES.items():
            as_it_is = finite(found.unchanged.value(name))
            if as_it_is is not None:
                axes.axvline(as_it_is, color=colour, linewidth=1, linestyle="--", alpha=0.7)
            for row, change in enumerate(changes):
                place, (low, high) = finite(change.value(name)), change.interval(name)
                if finite(low) is not None and finite(high) is not None:
                    axes.plot(
                        [low, high], [row + offset] * 2, color=colour, alpha=0.35, linewidth=2
                    )
                if place is not None:
                    axes.plot([place], [row + offset], shape, ms=5, color=colour, mec="white")
            axes.plot([], [], shape, ms=5, color=colour, label=title)
        axes.plot([], [], "--", color=QUIET, label="films as they are")
        axes.set_yticks(range(len(changes)), [change.name for change in changes])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(changes) - 0.5, -0.5), xlabel=f"on {split}")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)

    told = "; ".join(
        f"{change.name}: sensitivity {format_number(change.value('recall'))}, "
        f"specificity {format_number(change.value('specificity'))}"
        for change in changes
    )
    size = (7.2, 1.4 + _ROW * len(changes))
    return draw(f"stress-{split}", f"Changed films of {split}. {told}.", paint, size)
