"""What the figures share: an SVG each, that stands inside an HTML page.

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

# Blue and vermilion are told apart by readers who cannot tell red from green.
BLUE = "#2563a8"
VERMILION = "#c2501a"
INK = "#1b2733"
QUIET = "#64748b"

SIZE = (5.2, 4.2)  # inches
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e9ef",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 10,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def draw(
    name: str,
    label: str,
    paint: Callable[[Figure], None],
    size: tuple[float, float] = SIZE,
) -> str:
    """Returns a figure as an `svg` element.

    Args:
        name: keeps the identifiers of a page's figures apart.
        label: says what the figure shows, for who cannot see it.
        paint: fills the figure.
        size: in inches.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA, transparent=True)
    return _inline(buffer.getvalue(), label)


def empty(name: str, message: str) -> str:
    """Returns a low figure that says why there is none."""

    def paint(figure: Figure) -> None:
        figure.text(0.5, 0.5, message, ha="center", va="center", color=QUIET)

    return draw(name, message, paint, (SIZE[0], 1.2))


def square(figure: Figure, x_label: str, y_label: str) -> Any:
    """Returns axes from 0 to 1 both ways."""
    axes = figure.add_subplot()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x_label, ylabel=y_label)
    return axes


def mark(axes: Any, x: float, y: float, name: str) -> None:
    """Draws the point that the figure is about."""
    axes.plot([x], [y], "o", ms=9, color=VERMILION, mec="white", zorder=5, label=name)


def band(
    axes: Any, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, **more: Any
) -> None:
    """Shades what lies between two curves."""
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, **more)


def _inline(document: str, label: str) -> str:
    """Returns the `svg` element of an SVG document, named for who cannot see it."""
    svg = document[document.index("<svg") :].strip()
    # Matplotlib numbers its groups anew in every figure, and nothing refers to them.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)
