"""Intervals of proportions of independent films."""

from scipy.stats import binomtest


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Returns the 95 % score interval of `count / total` (Wilson 1927, JASA 22:209-212).

    It takes films as independent, as most of the literature does, so that it is for comparison:
    where patients have several films, it is too narrow.

    Args:
        count: films that have the property, 0 to `total`.
        total: films in all; of none, the interval is (NaN, NaN).
    """
    if not total:
        return float("nan"), float("nan")
    interval = binomtest(count, total).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
