"""Curves of several runs in one figure."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from components.reporter import curves
from components.reporter.content import Content, finite, format_number, numbers
from components.reporter.figures.canvas import QUIET, draw, empty, square

# Okabe and Ito's colours, which the colour-blind tell apart; where they repeat, the dashes differ.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000")
_DASHES = ("-", "--", ":")


def rocs(names: Sequence[str], runs: Sequence[Content]) -> str:
    """Returns the ROC curves of the runs, each with its operating point."""
    drawable = [
        (number, name, run)
        for number, (name, run) in enumerate(zip(names, runs, strict=True))
        if curves.has_both(run.labels_and_scores()[0])
    ]
    if not drawable:
        return empty("rocs", "No ROC curves: they need films of both classes.")

    def paint(figure: Figure) -> None:
        axes = square(figure, "1 - specificity", "sensitivity (recall)")
        axes.plot([0, 1], [0, 1], "--", color=QUIET, linewidth=1)
        for number, name, run in drawable:
            colour, dashes = _look(number)
            label = f"{name}, AUC {format_number(run.metrics.get('auc'))}"
            points = curves.roc(*run.labels_and_scores())
            axes.plot(*points, dashes, color=colour, label=label)
            recall, specificity = (
                finite(run.metrics.get(key)) for key in ("recall", "specificity")
            )
            if recall is not None and specificity is not None:
                axes.plot([1 - specificity], [recall], "o", ms=7, color=colour, mec="white")
        axes.legend(loc="lower right")

    told = "; ".join(
        f"{name}: AUC {format_number(run.metrics.get('auc'))}" for _, name, run in drawable
    )
    return draw("rocs", f"ROC curves. {told}.", paint)


def transfers(names: Sequence[str], runs: Sequence[Content]) -> str | None:
    """Returns Youden's J on test over the threshold; None where no run measured it."""
    measured = [
        (number, name, run.metrics["threshold_transfer"])
        for number, (name, run) in enumerate(zip(names, runs, strict=True))
        if run.metrics.get("threshold_transfer")
    ]
    if not measured:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, name, found in measured:
            colour, dashes = _look(number)
            axes.plot(
                numbers(found["thresholds"]),
                numbers(found["test"]),
                dashes,
                color=colour,
                label=name,
            )
            chosen = found["points"].get("chosen") or {}
            place, height = finite(chosen.get("threshold")), finite(chosen.get("test_j"))
            if place is not None and height is not None:
                axes.plot([place], [height], "o", ms=7, color=colour, mec="white")
        axes.set(xlim=(-0.02, 1.02), xlabel="threshold", ylabel="Youden's J on test")
        axes.legend(loc="lower center")

    told = ", ".join(name for _, name, _ in measured)
    return draw("transfers", f"Youden's J on test over the threshold, of {told}.", paint)


def _look(number: int) -> tuple[str, str]:
    rounds, colour = divmod(number, len(_COLOURS))
    return _COLOURS[colour], _DASHES[rounds % len(_DASHES)]
