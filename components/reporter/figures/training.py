"""How the training went."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from components.reporter.content import Content, format_number, numbers
from components.reporter.figures.canvas import BLUE, QUIET, draw, empty


def learning(content: Content) -> str:
    """Returns the learning curves: both losses, and the eval AUC below."""
    history = content.history
    if not history:
        return empty("learning", "No learning curves: no epoch is on record.")
    epochs = _column(content, "epoch")

    def paint(figure: Figure) -> None:
        losses, aucs = figure.subplots(2, sharex=True)
        for axes, key, name, colour in (
            (losses, "loss", "train", QUIET),
            (losses, "eval_loss", "eval", BLUE),
            (aucs, "eval_auc", "eval", BLUE),
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
    return draw("learning", label, paint)


def _column(content: Content, key: str) -> np.ndarray:
    return numbers([row.get(key) for row in content.history])
