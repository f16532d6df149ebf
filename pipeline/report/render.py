"""Puts a run's results into one HTML page that needs nothing else: no network, no script."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from components.evaluator.cohorts import STREAM_SLICE, SUBTYPE_SLICE
from components.features import CLASSES, EVAL, SPLITS
from pipeline.report import figures
from pipeline.report.content import (
    MISSING,
    Content,
    finite,
    format_interval,
    format_number,
    format_pair,
    format_seconds,
)

_QUARANTINE_ROWS = 200
_RANDOM_BACKBONE = "none"
_FATES = ("kept", "undersampled", "duplicate", "quarantined")
_METRICS = {
    "recall": "Sensitivity (recall)",
    "specificity": "Specificity",
    "auc": "AUC",
    "precision": "Precision",
    "accuracy": "Accuracy",
    "f1": "F1",
    "loss": "Cross-entropy",
}
_BOUNDS = {
    **_METRICS,
    "champion_auc": "AUC, against the champion",
    "champion_balanced_accuracy": "Balanced accuracy, against the champion",
}
_SLICES = {
    SUBTYPE_SLICE: "One subtype of pneumonia against all normal films",
    STREAM_SLICE: "One stream of normal films against all pneumonias",
}


class Badge(NamedTuple):
    """A cell that stands out; `tone` is a CSS class: good, bad or quiet."""

    text: str
    tone: str


class Table(NamedTuple):
    """A table whose first column names its rows.

    Attributes:
        caption: what it shows.
        header: a title for each column.
        rows: cells, text or badge.
        numbers: the columns that hold numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Badge]]
    numbers: Sequence[int] = ()


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


class Headline(NamedTuple):
    """One number of the first screen."""

    name: str
    meaning: str
    value: str
    interval: str


def render(content: Content) -> str:
    """Returns the report as one self-contained HTML page.

    Args:
        content: the results; texts in it (file names, reasons) are shown, never interpreted.

    Returns:
        The page; the same content gives the same bytes.
    """
    environment = Environment(
        loader=PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(_page(content))


def _page(content: Content) -> dict[str, Any]:
    """Returns the template's variables."""
    metrics = content.metrics
    return {
        "notice": metrics["notice"],
        "random_backbone": metrics.get("backbone") == _RANDOM_BACKBONE,
        "backbone": metrics.get("backbone") or MISSING,
        "verdict": judge(metrics),
        "headlines": _headlines(metrics),
        "measured": _measured(content),
        "operating_point": _operating_point(metrics),
        "matrix": metrics.get("confusion_matrix"),
        "gate": _gate(metrics),
        "champion": metrics.get("champion"),
        "champion_threshold": format_number((metrics.get("champion") or {}).get("threshold")),
        "metrics": _all_metrics(metrics),
        "figures": [
            (Markup(figures.roc(content)), "ROC curve"),
            (Markup(figures.precision_recall(content)), "Precision and recall"),
            (Markup(figures.confusion(content)), "Confusion matrix"),
            (Markup(figures.histogram(content)), "Probabilities by class"),
        ],
        "slices": _slices(metrics),
        "data": _data(metrics),
        "quarantine": _quarantine(content.quarantine),
        "quarantine_left_out": max(0, len(content.quarantine) - _QUARANTINE_ROWS),
        "learning": Markup(figures.learning(content)),
        "epochs": len(content.history),
        "best_epoch": _best_epoch(content.history),
        "cost": _cost(metrics),
        "serving": _serving(metrics),
        "timings": _timings(metrics),
        "config": yaml.safe_dump(dict(content.config), sort_keys=False, allow_unicode=True),
        "lineage": _lineage(content.lineage),
        "versions": Table(
            "What the run used",
            ("Package", "Version"),
            sorted((metrics.get("versions") or {}).items()),
        ),
    }


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
        reason = f"The model passed the gate, but the serving check says: {_refusal(serving)}"
        return Verdict("bad", "Refused by the serving check: not pushed", [reason, *stays])
    return Verdict(
        "bad", "Not pushed", ["Neither the gate nor the serving check says why.", *stays]
    )


def _refusal(check: Mapping[str, Any]) -> str:
    # An exception's message may bring its own full stop.
    return f"{check['refused'].rstrip('.')}."


def _failed_bounds(metrics: Mapping[str, Any]) -> list[str]:
    sentences = []
    for name, bound in (metrics.get("gate") or {}).items():
        if not bound["passed"]:
            value, lowest = format_pair(bound["value"], bound["bound"])
            known = "is undefined" if value == MISSING else f"is {value}"
            sentences.append(f"{_BOUNDS.get(name, name)} {known}; it must be at least {lowest}.")
    return sentences


def _headlines(metrics: Mapping[str, Any]) -> list[Headline]:
    meanings = {
        "recall": "of the pneumonias are found",
        "specificity": "of the normals are cleared",
        "auc": "of pairs: the pneumonia scores above the normal",
        "precision": "of the calls of pneumonia are right",
        "accuracy": "of all films are read right",
        "f1": "harmonic mean of precision and sensitivity",
    }
    intervals = metrics.get("intervals") or {}
    return [
        Headline(
            _short(name),
            meaning,
            format_number(metrics.get(name)),
            format_interval(intervals.get(name)),
        )
        for name, meaning in meanings.items()
    ]


def _short(name: str) -> str:
    """Returns the title of a metric where there is little room."""
    return _METRICS[name].partition(" (")[0]


def _measured(content: Content) -> dict[str, Any]:
    """Returns what the headline numbers were measured on."""
    split = content.metrics["split"]
    rows = [row for row in content.predictions if row["split"] == split]
    return {
        "split": split,
        "films": len(rows),
        "pneumonias": sum(int(row["label"]) for row in rows),
        "patients": len({row["patient"] for row in rows}),
        "resamples": content.metrics.get("bootstrap_resamples") or MISSING,
    }


def _operating_point(metrics: Mapping[str, Any]) -> dict[str, str] | None:
    """Returns the threshold and how it was chosen."""
    youden = metrics.get("youden")
    if not youden:
        return None
    lowest, highest = format_pair(youden.get("lowest"), youden.get("highest"))
    return {
        "threshold": format_number(metrics.get("threshold")),
        "sensitivity": format_number(youden.get("sensitivity")),
        "specificity": format_number(youden.get("specificity")),
        "j": format_number(youden.get("j")),
        "lowest": lowest,
        "highest": highest,
    }


def _gate(metrics: Mapping[str, Any]) -> Table:
    rows: list[Sequence[str | Badge]] = []
    for name, bound in (metrics.get("gate") or {}).items():
        mark = Badge("passed", "good") if bound["passed"] else Badge("failed", "bad")
        rows.append((_BOUNDS.get(name, name), *format_pair(bound["value"], bound["bound"]), mark))
    caption = f"Bounds on the {metrics['split']} split"
    return Table(caption, ("Bound", "Value", "At least", "Result"), rows, (1, 2))


def _all_metrics(metrics: Mapping[str, Any]) -> Table:
    """Returns every metric: with its interval, on eval, and of the champion."""
    champion = metrics.get("champion")
    intervals, evaluation = metrics.get("intervals") or {}, metrics.get("eval") or {}
    split = metrics["split"]
    header = ["Metric", f"On {split}", "95 % interval", f"On {EVAL}"]
    if champion:
        header.append(f"Champion, on {split}")
    rows = []
    for name, title in _METRICS.items():
        row = [
            title,
            format_number(metrics.get(name)),
            format_interval(intervals.get(name)),
            format_number(evaluation.get(name)),
        ]
        rows.append([*row, format_number(champion.get(name))] if champion else row)
    return Table("All metrics", header, rows, range(1, len(header)))


def _slices(metrics: Mapping[str, Any]) -> list[Table]:
    shown = ("auc", "recall", "specificity")
    header = ("Slice", "Films", *(_short(name) for name in shown))
    return [
        Table(
            _SLICES.get(kind, kind),
            header,
            [
                (
                    cohort,
                    str(found.get("films", MISSING)),
                    *(format_number(found.get(name)) for name in shown),
                )
                for cohort, found in cohorts.items()
            ],
            range(1, len(header)),
        )
        for kind, cohorts in (metrics.get("slices") or {}).items()
    ]


def _data(metrics: Mapping[str, Any]) -> Table:
    """Returns how many files became what, by split and class, with the sums."""
    counts = metrics.get("counts") or {}
    found = {split for by_split in counts.values() for split in by_split}
    splits = [*(split for split in SPLITS if split in found), *sorted(found - set(SPLITS))]
    totals: Counter[str] = Counter()
    rows = []
    for split in splits:
        for name in CLASSES:
            numbers = {fate: counts.get(fate, {}).get(split, {}).get(name, 0) for fate in _FATES}
            totals.update(numbers)
            rows.append((f"{split}, {name}", *map(str, numbers.values())))
    rows.append(("all", *(str(totals[fate]) for fate in _FATES)))
    header = ("Split and class", *(fate.capitalize() for fate in _FATES))
    return Table("Files by what became of them", header, rows, range(1, len(header)))


def _quarantine(files: Sequence[tuple[str, str]]) -> Table:
    return Table("Files put aside", ("File", "Reason"), files[:_QUARANTINE_ROWS])


def _best_epoch(history: Sequence[Mapping[str, float]]) -> Mapping[str, str] | None:
    """Returns the epoch of the highest eval AUC, whose weights the trainer keeps."""
    known = [row for row in history if finite(row.get("eval_auc")) is not None]
    if not known:
        return None
    best = max(known, key=lambda row: row["eval_auc"])
    return {"epoch": f"{best['epoch']:g}", "auc": format_number(best["eval_auc"])}


def _cost(metrics: Mapping[str, Any]) -> Table:
    cost = metrics.get("training_cost") or {}
    titles = {
        "films_through_backbone": "Films through the frozen net",
        "backbone_seconds": "The frozen net",
        "epochs_seconds": "The epochs",
        "backbone_seconds_every_epoch": "The frozen net, if run again in every epoch (estimate)",
    }
    rows = [
        (title, f"{cost[key]:g}" if key.startswith("films") else format_seconds(cost[key]))
        for key, title in titles.items()
        if cost.get(key) is not None
    ]
    return Table("Training cost", ("Part", "Cost"), rows, (1,))


def _serving(metrics: Mapping[str, Any]) -> Table | str:
    """Returns what the serving check found, or a sentence on why it found nothing."""
    check = metrics.get("serving_check")
    if not check:
        return "The serving check did not run."
    if "refused" in check:
        return f"Refused: {_refusal(check)}"
    difference, latency = finite(check.get("max_difference")), check.get("latency_ms")
    rows = (
        ("Films asked again", str(check.get("films", MISSING))),
        (
            "Largest difference from the evaluator's probability",
            MISSING if difference is None else f"{difference:.1e}",
        ),
        ("Time of one film, median", f"{format_number(latency, 1)} ms"),
        ("Time to load the model", format_seconds(check.get("load_seconds"))),
    )
    return Table("The model as a server loads it", ("Check", "Result"), rows, (1,))


def _timings(metrics: Mapping[str, Any]) -> Table:
    seconds, cached = metrics.get("timings") or {}, metrics.get("cached") or ()
    nodes = [*seconds, *(node for node in cached if node not in seconds)]
    rows = [
        (
            node,
            format_seconds(seconds.get(node)),
            Badge("cached", "quiet") if node in cached else "run",
        )
        for node in nodes
    ]
    return Table("Time of each node", ("Node", "Time", "State"), rows, (1,))


def _lineage(nodes: Sequence[Mapping[str, Any]]) -> Table:
    """Returns one row an output; a node without outputs has a row too."""
    rows: list[Sequence[str | Badge]] = []
    nothing: Mapping[str, Any] = {}
    for node in nodes:
        state = str(node["state"])
        mark = Badge(state, "quiet" if state == "CACHED" else "good")
        for output in node["outputs"] or (nothing,):
            rows.append(
                (
                    node["node"],
                    str(node["execution"]),
                    mark,
                    output.get("key", MISSING),
                    str(output.get("artifact", MISSING)),
                    output.get("uri", MISSING),
                )
            )
    header = ("Node", "Execution", "State", "Output", "Artifact", "Place")
    return Table("Executions and artifacts in ML Metadata", header, rows, (1, 4))
