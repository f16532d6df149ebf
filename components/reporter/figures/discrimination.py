"""How well the scores tell the classes apart."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from components.reporter import curves
from components.reporter.content import Content, finite, format_number, numbers
from components.reporter.figures.canvas import (
    BLUE,
    INK,
    QUIET,
    VERMILION,
    band,
    draw,
    empty,
    mark,
    square,
)
from components.shared.features import NORMAL, PNEUMONIA
from components.shared.result import Curve

_BINS = 20


def roc(content: Content) -> str:
    """Returns the ROC curve of the measured split with its band and the operating point."""
    labels, scores = content.labels_and_scores()
    result = content.result
    if not curves.has_both(labels):
        return empty("roc", "No ROC curve: it needs films of both classes.")
    recall, specificity = result.value("recall"), result.value("specificity")
    auc = format_number(result.value("auc"))

    def paint(figure: Figure) -> None:
        axes = square(figure, "1 - specificity", "sensitivity (recall)")
        axes.plot([0, 1], [0, 1], "--", color=QUIET, linewidth=1, label="chance")
        _band(axes, result.curves.roc, result.curves.roc.false_positive_rate)
        axes.plot(*curves.roc(labels, scores), color=BLUE, label=f"AUC {auc}")
        mark(axes, 1 - specificity, recall, f"threshold {format_number(result.threshold)}")
        axes.legend(loc="lower right")

    label = (
        f"ROC curve, AUC {auc}. At the threshold: sensitivity {format_number(recall)}, "
        f"specificity {format_number(specificity)}."
    )
    return draw("roc", label, paint)


def precision_recall(content: Content) -> str:
    """Returns the precision-recall curve of the measured split with band and operating point."""
    labels, scores = content.labels_and_scores()
    result = content.result
    if not curves.has_both(labels):
        return empty("pr", "No precision-recall curve: it needs films of both classes.")
    recall, precision = result.value("recall"), finite(result.value("precision"))
    average = format_number(result.value("average_precision"))
    share = float(labels.mean())

    def paint(figure: Figure) -> None:
        axes = square(figure, "sensitivity (recall)", "precision")
        recalls, precisions = curves.precision_recall(labels, scores)
        axes.axhline(share, linestyle="--", color=QUIET, linewidth=1, label="chance")
        _band(axes, result.curves.precision_recall, result.curves.precision_recall.recall)
        name = f"average precision {average}"
        axes.step(recalls, precisions, where="pre", color=BLUE, label=name)
        if precision is not None:
            mark(axes, recall, precision, f"threshold {format_number(result.threshold)}")
        axes.legend(loc="lower left")

    label = (
        f"Precision-recall curve, average precision {average}. At the threshold: precision "
        f"{format_number(precision)}, sensitivity {format_number(recall)}."
    )
    return draw("pr", label, paint)


def confusion(content: Content) -> str:
    """Returns the confusion matrix as four cells, coloured by their share of the row."""
    matrix = content.result.confusion_matrix
    counts = ((matrix.tn, matrix.fp), (matrix.fn, matrix.tp))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set(xlim=(0, 2), ylim=(2, 0))
        axes.set_xticks([0.5, 1.5], ["called normal", "called pneumonia"])
        axes.set_yticks(
            [0.5, 1.5], ["labelled normal", "labelled pneumonia"], rotation=90, va="center"
        )
        axes.xaxis.tick_top()
        for row, cells in enumerate(counts):
            for column, count in enumerate(cells):
                _cell(axes, row, column, count, sum(cells))

    label = (
        f"Confusion matrix: of {sum(counts[0])} normal films {matrix.tn} were called normal and "
        f"{matrix.fp} pneumonia; of {sum(counts[1])} pneumonias {matrix.fn} were called "
        f"normal and {matrix.tp} pneumonia."
    )
    return draw("confusion", label, paint)


def histogram(content: Content) -> str:
    """Returns the probabilities of each class as histograms, with the threshold."""
    labels, scores = content.labels_and_scores()
    if not labels.size:
        return empty("histogram", "No histogram: there are no films.")
    threshold = content.result.threshold
    edges = np.linspace(0, 1, _BINS + 1)
    classes = ((NORMAL, "normal", BLUE), (PNEUMONIA, "pneumonia", VERMILION))
    counts = {label: np.histogram(scores[labels == label], edges)[0] for label, _, _ in classes}
    highest = max(int(values.max()) for values in counts.values())

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, sharex=True, sharey=True)
        for axes, (label, name, colour) in zip(panels, classes, strict=True):
            # A log axis has no zero: from here a bar of one film is still seen.
            axes.set(yscale="log", ylim=(0.5, 2 * highest), xlim=(0, 1), ylabel="films (log)")
            axes.bar(edges[:-1], counts[label], 1 / _BINS, align="edge", color=colour, ec="white")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter("{x:.0f}")
            axes.set_title(f"{counts[label].sum()} films: {name}", loc="left", fontsize=11)
            axes.axvline(threshold, linestyle="--", color=INK, linewidth=1.2)
        panels[0].set_title(f"- - threshold {threshold:.3f}", loc="right", fontsize=10)
        panels[1].set_xlabel("predicted probability of pneumonia")

    label = (
        f"Histograms of the predicted probabilities of {counts[NORMAL].sum()} normal films and "
        f"{counts[PNEUMONIA].sum()} pneumonias; the threshold is {format_number(threshold)}."
    )
    return draw("histogram", label, paint)


def _band(axes: Any, curve: Curve, x: list[float]) -> None:
    """Shades the pointwise 95 % band of a curve."""
    low, high = numbers(curve.low), numbers(curve.high)
    band(axes, numbers(x), low, high, BLUE, label="95 % band, pointwise")


def _cell(axes: Any, row: int, column: int, count: int, total: int) -> None:
    share = count / total if total else 0.0
    colour = BLUE if row == column else VERMILION
    axes.bar(column + 0.5, 0.96, 0.96, row + 0.02, color=colour, alpha=0.08 + 0.5 * share)
    place = {"ha": "center", "va": "center"}
    axes.text(column + 0.5, row + 0.45, str(count), fontsize=22, **place)
    percent = f"{100 * share:.1f} % of {total}"
    axes.text(column + 0.5, row + 0.66, percent, fontsize=10, **place)
