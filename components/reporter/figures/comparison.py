"""Curves of several runs in one figure."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from components.reporter import curves
from components.reporter.content import Content, finite, format_number, numbers
from components.reporter.figures.canvas import QUIET, draw, empty, square
from components.shared.statistics.metrics import RATES

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
            label = f"{name}, AUC {format_number(run.result.value('auc'))}"
            points = curves.roc(*run.labels_and_scores())
            axes.plot(*points, dashes, color=colour, label=label)
            recall, specificity = (finite(run.result.value(key)) for key in RATES)
            if recall is not None and specificity is not None:
                axes.plot([1 - specificity], [recall], "o", ms=7, color=colour, mec="white")
        axes.legend(loc="lower right")

    told = "; ".join(
        f"{name}: AUC {format_number(run.result.value('auc'))}" for _, name, run in drawable
    )
    return draw("rocs", f"ROC curves. {told}.", paint)


def transfers(names: Sequence[str], runs: Sequence[Content]) -> str:
    """Returns Youden's J on test over the threshold."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, (name, run) in enumerate(zip(names, runs, strict=True)):
            colour, dashes = _look(number)
            found = run.result.threshold_transfer
            thresholds, j = numbers(found.thresholds), numbers(found.test)
            axes.plot(thresholds, j, dashes, color=colour, label=name)
            chosen = found.points["chosen"]
            if finite(chosen.test_j) is not None:
                axes.plot([chosen.threshold], [chosen.test_j], "o", ms=7, color=colour, mec="white")
        axes.set(xlim=(-0.02, 1.02), xlabel="threshold", ylabel="Youden's J on test")
        axes.legend(loc="lower center")

    label = f"Youden's J on test over the threshold, of {', '.join(names)}."
    return draw("transfers", label, paint)


def _look(number: int) -> tuple[str, str]:
    rounds, colour = divmod(number, len(_COLOURS))
    return _COLOURS[colour], _DASHES[rounds % len(_DASHES)]
