"""How a threshold that was chosen on one split does on another."""

from matplotlib.figure import Figure

from components.reporter.content import finite, format_number, numbers
from components.reporter.figures.canvas import BLUE, INK, QUIET, VERMILION, draw
from components.shared.result import Transfer

POINTS = {
    "chosen": "chosen on eval",
    "half": "0.5",
    "oracle": "best on test",
}
_MARKS = {"chosen": ("o", VERMILION, 4), "half": ("s", QUIET, 3), "oracle": ("^", INK, 2)}


def transfer(found: Transfer) -> str:
    """Returns Youden's J over the threshold on eval and test, with three thresholds marked."""
    thresholds, points = numbers(found.thresholds), found.points

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(thresholds, numbers(found.eval), "--", color=QUIET, label="J on eval")
        axes.plot(thresholds, numbers(found.test), color=BLUE, label="J on test")
        for key, name in POINTS.items():
            place, height = finite(points[key].threshold), finite(points[key].test_j)
            if place is not None and height is not None:
                shape, colour, above = _MARKS[key]
                axes.axvline(place, color=colour, linewidth=0.8, alpha=0.6)
                text = name if key == "half" else f"{name}, {place:.3f}"
                (drawn,) = axes.plot([place], [height], shape, label=text)
                drawn.set(markersize=8, color=colour, markeredgecolor="white", zorder=above)
        axes.set(xlim=(-0.02, 1.02), xlabel="threshold", ylabel="Youden's J")
        # Beneath the curves' plateau there is room.
        axes.legend(loc="lower center")

    told = "; ".join(
        f"{name}: threshold {format_number(points[key].threshold)}, "
        f"J on test {format_number(points[key].test_j)}"
        for key, name in POINTS.items()
    )
    return draw("transfer", f"Youden's J over the threshold. {told}.", paint)
