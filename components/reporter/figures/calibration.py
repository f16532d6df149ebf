"""Whether the probabilities mean what they say, and what a call is worth."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from components.reporter.content import format_number, numbers
from components.reporter.figures.canvas import BLUE, INK, QUIET, VERMILION, band, draw
from components.shared.result import DecisionCurve, PredictiveValues, ReliabilityBin

# The lowest net benefit that is drawn: that of calling every film falls without end.
_NET_BENEFIT_BELOW = 0.1


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Returns the reliability diagram: what was predicted, what was seen, and of how many films."""
    predicted, observed, low, high = reliability_points(bins)

    def paint(figure: Figure) -> None:
        axes, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], "--", color=QUIET, linewidth=1, label="as predicted")
        # Rounding may leave a share a hair outside of its interval, which errorbar refuses.
        reach = np.clip([observed - low, high - observed], 0, None)
        name = "observed, with Wilson interval"
        axes.errorbar(
            predicted, observed, reach, fmt="o", color=BLUE, ms=5, capsize=2, lw=1.2, label=name
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share with pneumonia")
        axes.legend(loc="upper left")
        for found in bins:
            left, width = found.low, found.high - found.low
            counts.bar(left, found.films, width, align="edge", color=BLUE, alpha=0.5, ec="white")
            middle = left + width / 2
            counts.text(middle, found.films, found.films, ha="center", va="bottom", size=8)
        counts.margins(y=0.3)
        counts.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        counts.set(ylabel="films", xlabel="predicted probability of pneumonia")

    points = "; ".join(
        f"predicted {format_number(x)}, observed {format_number(y)} of {found.films} films"
        for found, x, y in zip(bins, predicted, observed, strict=True)
    )
    return draw("reliability", f"Reliability diagram. {points}.", paint)


def reliability_points(bins: Sequence[ReliabilityBin]) -> np.ndarray:
    """Returns of each bin the mean probability, the share, and the bounds of its interval."""
    rows = [(b.mean_probability, b.observed, *b.interval) for b in bins]
    return np.asarray(rows, float).reshape(-1, 4).T


def predictive_values(rows: Sequence[PredictiveValues], share: float | None) -> str:
    """Returns the predictive values over the prevalence.

    Args:
        rows: one a prevalence.
        share: of pneumonias in the measured split.
    """
    prevalence = numbers([row.prevalence for row in rows])

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for key, name, colour, style in (
            ("ppv", "PPV: a call of pneumonia is right", VERMILION, "o-"),
            ("npv", "NPV: a call of normal is right", BLUE, "s-"),
        ):
            bounds = [getattr(row, f"{key}_interval") for row in rows]
            low, high = (numbers([pair[side] for pair in bounds]) for side in (0, 1))
            band(axes, prevalence, low, high, colour)
            values = numbers([getattr(row, key) for row in rows])
            axes.plot(prevalence, values, style, ms=4, color=colour, label=name)
        if share is not None:
            axes.axvline(share, linestyle="--", color=INK, linewidth=1, label="in this split")
        axes.set(ylim=(-0.02, 1.02), xlabel="prevalence of pneumonia", ylabel="share of calls")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower center")

    points = "; ".join(
        f"at {row.prevalence:.0%} PPV {format_number(row.ppv)}, NPV {format_number(row.npv)}"
        for row in rows
    )
    return draw("predictive", f"Predictive values by prevalence: {points}.", paint)


def net_benefit(curve: DecisionCurve) -> str:
    """Returns the decision curve."""
    threshold = numbers(curve.threshold_probability)
    model, everyone = numbers(curve.model), numbers(curve.all)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(threshold, everyone, "--", color=QUIET, label="call every film pneumonia")
        axes.axhline(0, color=INK, linewidth=1, label="call no film pneumonia")
        axes.plot(threshold, model, color=BLUE, label="follow the model")
        known = np.r_[model[np.isfinite(model)], everyone[np.isfinite(everyone)], 0]
        axes.set_ylim(max(known.min(), -_NET_BENEFIT_BELOW) - 0.03, known.max() + 0.05)
        axes.set(xlabel="threshold probability", ylabel="net benefit per film")
        axes.legend(loc="lower left")

    better, of = best_by_net_benefit(curve)
    label = (
        "Decision curve: the model's net benefit is above calling every film and calling no film "
        f"pneumonia at {better} of {of} threshold probabilities."
    )
    return draw("benefit", label, paint)


def best_by_net_benefit(curve: DecisionCurve) -> tuple[int, int]:
    """Returns at how many threshold probabilities the model is best, and how many there are."""
    model, everyone = numbers(curve.model), numbers(curve.all)
    return int((model > np.maximum(everyone, 0)).sum()), model.size
