"""Training, serving check, timings, lineage and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.reporter.content import (
    MISSING,
    Content,
    finite,
    format_number,
    format_seconds,
)
from components.reporter.tables.table import Badge, Table
from components.reporter.tables.verdict import refusal


def kept_epoch(content: Content) -> Mapping[str, str] | None:
    """Returns the epoch whose weights the trainer kept, why it did, and its eval AUC."""
    known = [row for row in content.history if finite(row.get("eval_auc")) is not None]
    if not known:
        return None
    last = (content.config.get("trainer") or {}).get("keep") == "last"
    kept = content.history[-1] if last else max(known, key=lambda row: row["eval_auc"])
    return {
        "epoch": f"{kept['epoch']:g}",
        "why": "the last" if last else "the one of the highest eval AUC",
        "auc": format_number(kept.get("eval_auc")),
    }


def cost(metrics: Mapping[str, Any]) -> Table:
    """Returns what the training cost."""
    found = metrics.get("training_cost") or {}
    titles = {
        "films_through_backbone": "Films through the frozen net",
        "backbone_seconds": "The frozen net",
        "epochs_seconds": "The epochs",
        "backbone_seconds_every_epoch": "The frozen net, if run again in every epoch (estimate)",
    }
    rows = [
        (title, f"{found[key]:g}" if key.startswith("films") else format_seconds(found[key]))
        for key, title in titles.items()
        if found.get(key) is not None
    ]
    return Table("Training cost", ("Part", "Cost"), rows, (1,))


def serving(metrics: Mapping[str, Any]) -> Table | str:
    """Returns what the serving check found, or a sentence on why it found nothing."""
    check = metrics.get("serving_check")
    if not check:
        return "The serving check did not run."
    if "refused" in check:
        return f"Refused: {refusal(check)}"
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


def timings(metrics: Mapping[str, Any]) -> Table:
    """Returns how long each node took."""
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


def lineage(nodes: Sequence[Mapping[str, Any]]) -> Table:
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


def versions(metrics: Mapping[str, Any]) -> Table:
    """Returns the versions of the packages that the run used."""
    rows = sorted((metrics.get("versions") or {}).items())
    return Table("What the run used", ("Package", "Version"), rows)


def code_version(metrics: Mapping[str, Any]) -> str:
    """Returns this pipeline's version, and its commit where it is known."""
    found = metrics.get("code_version") or {}
    if not found.get("package"):
        return MISSING
    commit = found.get("commit")
    return f"{found['package']}, commit {commit}" if commit else str(found["package"])
