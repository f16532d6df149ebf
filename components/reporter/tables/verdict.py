"""What became of the model, and the bounds that it had to keep."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.reporter.content import MISSING, Content, format_number, format_pair
from components.reporter.tables.table import Badge, Table
from components.shared.result import COUNTED, FILMS, PATIENTS, Result, Verdict
from components.shared.statistics.metrics import METRICS

_TITLES = {
    **{name: one.title for name, one in METRICS.items()},
    **{f"champion_{name}": f"{one.title} less the champion's" for name, one in METRICS.items()},
    "stressed_balanced_accuracy": "Lowest balanced accuracy on changed films",
    "threshold": "Threshold",
    FILMS: "Number of test films of the smaller class",
    PATIENTS: "Number of test patients of the smaller class",
}


class Outcome(NamedTuple):
    """What became of the model.

    Attributes:
        tone: good or bad.
        title: in a few words.
        reasons: why; one sentence each.
    """

    tone: str
    title: str
    reasons: Sequence[str]


def judge(content: Content) -> Outcome:
    """Says what became of the model, and why."""
    run, result = content.metrics, content.result
    if run.get("pushed"):
        where = run.get("model_path")
        return Outcome(
            "good",
            f"Pushed as version {run.get('pushed_version') or MISSING}",
            ["The model passed the gate and the serving check."]
            + ([f"It lies in {where}."] if where else [])
            + champion_lost(result),
        )
    champion = result.champion
    stays = [f"Version {champion.version} stays the served one."] if champion else []
    stays += champion_lost(result)
    if result.failed:
        failed = [_sentence(name, verdict) for name, verdict in result.failed.items()]
        return Outcome("bad", "Refused by the gate: not pushed", failed + stays)
    serving = run.get("serving_check") or {}
    if "refused" in serving:
        reason = f"The model passed the gate, but the serving check says: {refusal(serving)}"
        return Outcome("bad", "Refused by the serving check: not pushed", [reason, *stays])
    return Outcome(
        "bad", "Not pushed", ["Neither the gate nor the serving check says why.", *stays]
    )


def champion_lost(result: Result) -> list[str]:
    """Returns that the model was not compared with the version that it should have been."""
    lost = result.champion_lost
    return [f"It was compared with no champion: {lost.rstrip('.')}."] if lost else []


def refusal(check: Mapping[str, Any]) -> str:
    """Returns the serving check's reason as a sentence."""
    # An exception's message may bring its own full stop.
    return f"{check['refused'].rstrip('.')}."


def gate_table(result: Result) -> Table:
    """Returns each bound and whether it was kept."""
    rows: list[Sequence[str | Badge]] = []
    for name, verdict in result.gate.items():
        value, bound = _value_and_bound(name, verdict)
        mark = Badge("passed", "good") if verdict.passed else Badge("failed", "bad")
        rows.append((bound_title(name), value, bound, mark))
    caption = f"Bounds on the {result.split} split"
    return Table(caption, ("Bound", "Value", "Must", "Result"), rows, (1, 2))


def bound_title(name: str) -> str:
    """Returns what a bound is on."""
    return _TITLES.get(name, name)


def must(name: str, verdict: Verdict) -> str:
    """Returns what is asked of the value."""
    return _value_and_bound(name, verdict)[1]


def _value_and_bound(name: str, verdict: Verdict) -> tuple[str, str]:
    if verdict.bound is None:
        return MISSING, "be found"
    at_most = name in METRICS and METRICS[name].lower_is_better
    side = "most" if at_most else "least"
    if name in COUNTED:
        return f"{verdict.value:.0f}", f"be at {side} {verdict.bound:.0f}"
    if verdict.interval is None:
        value, bound = format_pair(verdict.value, verdict.bound)
        return value, f"be at {side} {bound}"
    # An end of the interval decides, not the value.
    low, high = map(format_number, verdict.interval)
    if name in METRICS and not at_most:
        low, bound = format_pair(verdict.interval[0], verdict.bound)
    else:
        high, bound = format_pair(verdict.interval[1], verdict.bound)
    told = f"{format_number(verdict.value)} ({low} to {high})"
    if name in METRICS:
        return told, f"be at {side} {bound} with all of its interval"
    return told, f"reach {bound} with its interval"


def _sentence(name: str, verdict: Verdict) -> str:
    title = bound_title(name)
    if verdict.why:
        return f"{title}: {verdict.why}"
    value, bound = _value_and_bound(name, verdict)
    known = "is undefined" if value.startswith(MISSING) else f"is {value}"
    return f"{title} {known}; it must {bound}."
