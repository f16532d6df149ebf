"""What became of the model, and the bounds that it had to keep."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.reporter.content import MISSING, format_pair
from components.reporter.tables.metrics import TITLES
from components.reporter.tables.table import Badge, Table

_BOUNDS = {
    **TITLES,
    "stressed_balanced_accuracy": "Lowest balanced accuracy on changed films",
    "champion_auc": "AUC, against the champion",
    "champion_balanced_accuracy": "Balanced accuracy, against the champion",
}


class Verdict(NamedTuple):
    """What became of the model.

    Attributes:
        tone: good or bad.
        title: in a few words.
        reasons: why; one sentence each.
    """

    tone: str
    title: str
    reasons: Sequence[str]


def judge(metrics: Mapping[str, Any]) -> Verdict:
    """Says what became of the model, and why.

    Args:
        metrics: the content of metrics.json.
    """
    if metrics.get("pushed"):
        where = metrics.get("model_path")
        return Verdict(
            "good",
            f"Pushed as version {metrics.get('pushed_version') or MISSING}",
            ["The model passed the gate and the serving check."]
            + ([f"It lies in {where}."] if where else []),
        )
    champion = metrics.get("champion")
    stays = [f"Version {champion['version']} stays the served one."] if champion else []
    failed = _failed_bounds(metrics)
    if failed:
        return Verdict("bad", "Refused by the gate: not pushed", failed + stays)
    serving = metrics.get("serving_check") or {}
    if "refused" in serving:
        reason = f"The model passed the gate, but the serving check says: {refusal(serving)}"
        return Verdict("bad", "Refused by the serving check: not pushed", [reason, *stays])
    return Verdict(
        "bad", "Not pushed", ["Neither the gate nor the serving check says why.", *stays]
    )


def refusal(check: Mapping[str, Any]) -> str:
    """Returns the serving check's reason as a sentence."""
    # An exception's message may bring its own full stop.
    return f"{check['refused'].rstrip('.')}."


def gate_table(metrics: Mapping[str, Any]) -> Table:
    """Returns each bound and whether it was kept."""
    rows: list[Sequence[str | Badge]] = []
    for name, bound in (metrics.get("gate") or {}).items():
        mark = Badge("passed", "good") if bound["passed"] else Badge("failed", "bad")
        rows.append((bound_title(name), *format_pair(bound["value"], bound["bound"]), mark))
    caption = f"Bounds on the {metrics['split']} split"
    return Table(caption, ("Bound", "Value", "At least", "Result"), rows, (1, 2))


def bound_title(name: str) -> str:
    """Returns what a bound is on."""
    return _BOUNDS.get(name, name)


def _failed_bounds(metrics: Mapping[str, Any]) -> list[str]:
    sentences = []
    for name, bound in (metrics.get("gate") or {}).items():
        if not bound["passed"]:
            value, lowest = format_pair(bound["value"], bound["bound"])
            known = "is undefined" if value == MISSING else f"is {value}"
            sentences.append(f"{bound_title(name)} {known}; it must be at least {lowest}.")
    return sentences
