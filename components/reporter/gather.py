"""What came of a run, gathered from the folders that its nodes have left."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.reporter.content import Content
from components.reporter.store import without_nan
from components.shared.artifacts import (
    COST_FILE,
    HISTORY_FILE,
    PREDICTIONS_FILE,
    QUARANTINE_FILE,
    RESULT_FILE,
    SERVING_CHECK_FILE,
    SUMMARY_FILE,
)
from components.shared.code_version import code_version
from components.shared.notice import REPORT_NOTICE

_PACKAGES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam", "numpy")


@dataclass(frozen=True)
class Provenance:
    """What only ML Metadata knows of a run; all of it unknown where there is none.

    Attributes:
        timings: seconds a node, in the order of the nodes.
        cached: the nodes that came from the cache.
        lineage: see `Content`.
        data_fingerprint: of the data set's files.
    """

    timings: Mapping[str, float] | None = None
    cached: Sequence[str] | None = None
    lineage: Sequence[Mapping[str, Any]] = ()
    data_fingerprint: str | None = None


@dataclass(frozen=True)
class Sources:
    """What the report is gathered from.

    Attributes:
        examples: folder of ChestXrayExampleGen's Examples.
        model_run: folder of the Trainer's logs.
        evaluation: folder of YoudenEvaluator's evaluation.
        infra_blessing: folder of ServingCheck's blessing.
        blessed: whether the gate lets the model pass.
        pushed: Pusher's note: `pushed`, and if so `pushed_version` and `pushed_destination`.
        config: the resolved configuration, nested.
        provenance: what ML Metadata knows.
    """

    examples: Path
    model_run: Path
    evaluation: Path
    infra_blessing: Path
    blessed: bool
    pushed: Mapping[str, Any]
    config: Mapping[str, Any]
    provenance: Provenance = field(default_factory=Provenance)


def gather(sources: Sources) -> Content:
    """Reads what the report is made of."""
    metrics = without_nan(_metrics(sources))
    evaluation = sources.evaluation
    return Content(
        metrics=metrics,
        predictions=_read_predictions(evaluation / PREDICTIONS_FILE),
        history=_read_json(sources.model_run / HISTORY_FILE),
        quarantine=_read_quarantine(sources.examples / QUARANTINE_FILE),
        config=sources.config,
        lineage=sources.provenance.lineage,
        pictures={
            error["picture"]: (evaluation / error["picture"]).read_bytes()
            for error in metrics.get("errors") or ()
        },
    )


def _metrics(sources: Sources) -> dict[str, Any]:
    """Returns the content of metrics.json."""
    provenance = sources.provenance
    return {
        "notice": REPORT_NOTICE,
        **_read_json(sources.evaluation / RESULT_FILE),
        "pushed": bool(sources.pushed.get("pushed")),
        "pushed_version": sources.pushed.get("pushed_version"),
        "model_path": sources.pushed.get("pushed_destination"),
        "blessed": sources.blessed,
        "serving_check": _read_json(sources.infra_blessing / SERVING_CHECK_FILE),
        "counts": _read_json(sources.examples / SUMMARY_FILE),
        "training_cost": _read_json(sources.model_run / COST_FILE),
        "backbone": sources.config["trainer"]["backbone"],
        "timings": provenance.timings,
        "cached": provenance.cached,
        "versions": {name: version(name) for name in _PACKAGES},
        "data_fingerprint": provenance.data_fingerprint,
        "code_version": code_version(),
    }


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_quarantine(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["file"], row["reason"]) for row in csv.DictReader(file)]


def _read_predictions(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {**row, "label": int(row["label"]), "probability": float(row["probability"])}
            for row in csv.DictReader(file)
        ]
