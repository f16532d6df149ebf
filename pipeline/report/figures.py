"""The report's figures, each an SVG that stands inside an HTML page.

The same content gives the same bytes: no date, no random identifiers, no settings of the machine.
Text stays text, so that it can be searched and copied.
"""

import html
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from components.features import NORMAL, PNEUMONIA
from pipeline.report.content import Content, finite, format_number

# Blue and vermilion are told apart by readers who cannot tell red from green.
_NORMAL_COLOUR = "#2563a8"
_PNEUMONIA_COLOUR = "#c2501a"
_INK = "#1b2733"
_QUIET = "#64748b"

_SIZE = (5.2, 4.2)  # inches
_BINS = 20
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 11,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e9ef",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.fontsize": 10,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def roc(content: Content) -> str:
    """Returns the ROC curve of the measured split with the operating point."""
    labels, scores = _scored(content)
    metrics = content.metrics
    if not _has_both(labels):
        return _empty("roc", "No ROC curve: it needs films of both classes.")
    recall, specificity = finite(metrics.get("recall")), finite(metrics.get("specificity"))
    auc = format_number(metrics.get("auc"))

    def paint(figure: Figure) -> None:
        axes = _square(figure, "1 - specificity", "sensitivity (recall)")
        false_positive, true_positive, _ = roc_curve(labels, scores)
        axes.plot([0, 1], [0, 1], "--", color=_QUIET, linewidth=1, label="chance")
        axes.plot(false_positive, true_positive, color=_NORMAL_COLOUR, label=f"AUC {auc}")
        if recall is not None and specificity is not None:
            _mark(axes, 1 - specificity, recall, metrics)
        axes.legend(loc="lower right")

    label = (
        f"ROC curve, AUC {auc}. At the threshold: sensitivity {format_number(recall)}, "
        f"specificity {format_number(specificity)}."
    )
    return _draw("roc", label, paint)


def precision_recall(content: Content) -> str:
    """Returns the precision-recall curve of the measured split with the operating point."""
    labels, scores = _scored(content)
    metrics = content.metrics
    if not _has_both(labels):
        return _empty("pr", "No precision-recall curve: it needs films of both classes.")
    recall, precision = finite(metrics.get("recall")), finite(metrics.get("precision"))
    average = format_number(average_precision_score(labels, scores))
    share = float(labels.mean())

    def paint(figure: Figure) -> None:
        axes = _square(figure, "sensitivity (recall)", "precision")
        precisions, recalls, _ = precision_recall_curve(labels, scores)
        axes.axhline(share, linestyle="--", color=_QUIET, linewidth=1, label="chance")
        axes.step(
            recalls,
            precisions,
            where="post",
            color=_NORMAL_COLOUR,
            label=f"average precision {average}",
        )
        if recall is not None and precision is not None:
            _mark(axes, recall, precision, metrics)
        axes.legend(loc="lower left")

    label = (
        f"Precision-recall curve, average precision {average}. At the threshold: precision "
        f"{format_number(precision)}, sensitivity {format_number(recall)}."
    )
    return _draw("pr", label, paint)


def confusion(content: Content) -> str:
    """Returns the confusion matrix as four cells, coloured by their share of the row."""
    matrix = content.metrics.get("confusion_matrix")
    if not matrix:
        return _empty("confusion", "No confusion matrix.")
    counts = ((matrix["tn"], matrix["fp"]), (matrix["fn"], matrix["tp"]))

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
        f"Confusion matrix: of {sum(counts[0])} normal films {matrix['tn']} were called normal and "
        f"{matrix['fp']} pneumonia; of {sum(counts[1])} pneumonias {matrix['fn']} were called "
        f"normal and {matrix['tp']} pneumonia."
    )
    return _draw("confusion", label, paint)


def histogram(content: Content) -> str:
    """Returns the probabilities of each class as histograms, with the threshold."""
    labels, scores = _scored(content)
    if not labels.size:
        return _empty("histogram", "No histogram: there are no films.")
    threshold = finite(content.metrics.get("threshold"))
    edges = np.linspace(0, 1, _BINS + 1)
    classes = ((NORMAL, "normal", _NORMAL_COLOUR), (PNEUMONIA, "pneumonia", _PNEUMONIA_COLOUR))
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
            if threshold is not None:
                axes.axvline(threshold, linestyle="--", color=_INK, linewidth=1.2)
        if threshold is not None:
            panels[0].set_title(f"- - threshold {threshold:.3f}", loc="right", fontsize=10)
        panels[1].set_xlabel("predicted probability of pneumonia")

    label = (
        f"Histograms of the predicted probabilities of {counts[NORMAL].sum()} normal films and "
        f"{counts[PNEUMONIA].sum()} pneumonias; the threshold is {format_number(threshold)}."
    )
    return _draw("histogram", label, paint)


def learning(content: Content) -> str:
    """Returns the learning curves: both losses, and the eval AUC below."""
    history = content.history
    if not history:
        return _empty("learning", "No learning curves: no epoch is on record.")
    epochs = _column(content, "epoch")

    def paint(figure: Figure) -> None:
        losses, aucs = figure.subplots(2, sharex=True)
        for axes, key, name, colour in (
            (losses, "loss", "train", _QUIET),
            (losses, "eval_loss", "eval", _NORMAL_COLOUR),
            (aucs, "eval_auc", "eval", _NORMAL_COLOUR),
        ):
            axes.plot(epochs, _column(content, key), "o-", ms=3.5, color=colour, label=name)
        losses.set_ylabel("loss")
        losses.legend(loc="upper right", ncols=2)
        aucs.set(ylabel="eval AUC", xlabel="epoch")
        aucs.xaxis.set_major_locator(MaxNLocator(integer=True))

    last = history[-1]
    label = (
        f"Learning curves over {len(history)} epochs. In the last one: train loss "
        f"{format_number(last.get('loss'))}, eval loss {format_number(last.get('eval_loss'))}, "
        f"eval AUC {format_number(last.get('eval_auc'))}."
    )
    return _draw("learning", label, paint)


def _scored(content: Content) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels [N] and probabilities [N] of the split that the metrics were measured on."""
    rows = [row for row in content.predictions if row["split"] == content.metrics["split"]]
    labels = np.asarray([row["label"] for row in rows], int)
    return labels, np.asarray([row["probability"] for row in rows], float)


def _has_both(labels: np.ndarray) -> bool:
    return bool(0 < labels.sum() < labels.size)


def _column(content: Content, key: str) -> np.ndarray:
    return np.asarray([row.get(key) for row in content.history], float)


def _square(figure: Figure, x_label: str, y_label: str) -> Any:
    axes = figure.add_subplot()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x_label, ylabel=y_label)
    return axes


def _mark(axes: Any, x: float, y: float, metrics: Any) -> None:
    name = f"threshold {format_number(metrics.get('threshold'))}"
    axes.plot([x], [y], "o", ms=9, color=_PNEUMONIA_COLOUR, mec="white", zorder=5, label=name)


def _cell(axes: Any, row: int, column: int, count: int, total: int) -> None:
    share = count / total if total else 0.0
    colour = _NORMAL_COLOUR if row == column else _PNEUMONIA_COLOUR
    axes.bar(column + 0.5, 0.96, 0.96, row + 0.02, color=colour, alpha=0.08 + 0.5 * share)
    place = {"ha": "center", "va": "center"}
    axes.text(column + 0.5, row + 0.45, str(count), fontsize=22, **place)
    percent = f"{100 * share:.1f} % of {total}"
    axes.text(column + 0.5, row + 0.66, percent, fontsize=10, **place)


def _empty(name: str, message: str) -> str:
    def paint(figure: Figure) -> None:
        figure.text(0.5, 0.5, message, ha="center", va="center", color=_QUIET)

    return _draw(name, message, paint, (_SIZE[0], 1.2))


def _draw(
    name: str,
    label: str,
    paint: Callable[[Figure], None],
    size: tuple[float, float] = _SIZE,
) -> str:
    """Lets `paint` fill a figure and returns it; `name` keeps figures' identifiers apart."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA, transparent=True)
    return _inline(buffer.getvalue(), label)


def _inline(document: str, label: str) -> str:
    """Returns the `svg` element of an SVG document, named for who cannot see it."""
    svg = document[document.index("<svg") :].strip()
    # Matplotlib numbers its groups anew in every figure, and nothing refers to them.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)
