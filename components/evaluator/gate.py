"""May this model be served? Bounds on its test metrics, and the champion beside it."""

import math
from collections.abc import Mapping

from components.shared.result import Interval, Verdict
from components.shared.statistics.metrics import METRICS
from components.shared.statistics.paired import Difference


def judge(
    values: Mapping[str, float],
    intervals: Mapping[str, Interval],
    bounds: Mapping[str, float | None],
    above_champion: Mapping[str, Difference],
    tolerance: float,
    no_threshold: str = "",
) -> dict[str, Verdict]:
    """Holds a model against the bounds and against the model that is served now.

    On few films a value above its bound is chance. So where there is an interval, the whole of it
    has to keep the bound; that takes films enough, and how many there are is bounded too, since
    of a few that are all read right the interval has no width.

    Two models that are equally good differ on any films by chance. So a model is refused for the
    champion's sake where it is surely worse than the tolerance allows: where the whole interval of
    the difference says so.

    Args:
        values: of the candidate, by what is bounded.
        intervals: of those values that have one.
        bounds: lowest value, or highest of a metric that is better low; None switches a bound off.
        above_champion: by how much the candidate's metrics are above those of the served model, on
            the same films; empty where there is none.
        tolerance: by how much it may be worse than the champion.
        no_threshold: why none was found, which is refused by itself; empty where one was.

    Returns:
        A verdict for each bound; a value that is not a number passes none.
    """
    verdicts = {
        name: _keeps(values[name], intervals.get(name), bound, _lower_is_better(name))
        for name, bound in bounds.items()
        if bound is not None
    }
    if no_threshold:
        verdicts["threshold"] = Verdict(
            value=math.nan, bound=None, passed=False, why=f"none was found on eval: {no_threshold}."
        )
    for name, difference in above_champion.items():
        if METRICS[name].compared:
            verdicts[f"champion_{name}"] = _reaches(difference, tolerance, _lower_is_better(name))
    return verdicts


def _lower_is_better(name: str) -> bool:
    return name in METRICS and METRICS[name].lower_is_better


def _keeps(value: float, interval: Interval | None, bound: float, at_most: bool) -> Verdict:
    low, high = (value, value) if interval is None else interval
    return Verdict(
        value=value,
        bound=bound,
        # Nothing compares with what is not a number.
        passed=high <= bound if at_most else low >= bound,
        interval=interval,
    )


def _reaches(difference: Difference, tolerance: float, at_most: bool) -> Verdict:
    low, high = difference.interval
    return Verdict(
        value=difference.value,
        bound=tolerance if at_most else 0.0 - tolerance,
        passed=low <= tolerance if at_most else high >= -tolerance,
        interval=difference.interval,
    )
