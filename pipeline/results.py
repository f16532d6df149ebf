"""What came of a run, gathered from its artifacts into the report's folder."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.evaluator.executor import BLESSING_KEY, EVALUATION_KEY
from components.example_gen.executor import EXAMPLES_KEY
from components.example_gen.executor import write_quarantine as write_rows
from components.reporter.content import Content
from components.reporter.store import save, without_nan
from components.serving_check.executor import INFRA_BLESSING_KEY
from components.shared.artifacts import (
    COST_FILE,
    FINGERPRINT_KEY,
    HISTORY_FILE,
    PREDICTIONS_FILE,
    QUARANTINE_FILE,
    RESULT_FILE,
    SERVING_CHECK_FILE,
    SUMMARY_FILE,
)
from components.shared.code_version import code_version
from components.shared.errors import InputError
from components.shared.notice import REPORT_NOTICE
from components.shared.run_folder import RunFolder
from pipeline.config import Config
from pipeline.lineage import NodeRun, latest_run, maker_properties
from pipeline.runners.local import NodeTimes

_PACKAGES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam", "numpy")


def conclude(config: Config, folder: RunFolder, times: NodeTimes) -> dict[str, Any]:
    """Writes `report/` of the run that has just ended, and returns the metrics.

    All that the report needs is copied there, so that it can be made again without ML Metadata.

    Args:
        config: of the run.
        folder: of the run.
        times: seconds per node.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: the version that an earlier run pushed has been removed since.
    """
    run = latest_run(str(folder.metadata))
    examples_artifact = run["ChestXrayExampleGen"].output(EXAMPLES_KEY)
    examples = examples_artifact.uri
    evaluation = run["YoudenEvaluator"].output(EVALUATION_KEY).uri
    training = run["Trainer"].output("model_run").uri
    pushed = run["Pusher"].output("pushed_model").properties
    if pushed.get("pushed") and not os.path.isdir(pushed["pushed_destination"]):
        raise InputError(
            f"Version {pushed['pushed_version']} of this model was pushed before and has been "
            f"removed since: put {pushed['pushed_destination']} back, or run with another --output."
        )
    metrics = {
        "notice": REPORT_NOTICE,
        **_read_json(evaluation, RESULT_FILE),
        "pushed": bool(pushed.get("pushed")),
        "pushed_version": pushed.get("pushed_version"),
        "model_path": pushed.get("pushed_destination"),
        "blessed": bool(run["YoudenEvaluator"].output(BLESSING_KEY).properties["blessed"]),
        "serving_check": _read_json(
            run["ServingCheck"].output(INFRA_BLESSING_KEY).uri, SERVING_CHECK_FILE
        ),
        "counts": _read_json(examples, SUMMARY_FILE),
        "training_cost": _read_json(training, COST_FILE),
        "backbone": config.trainer.backbone,
        "timings": {node: round(seconds, 2) for node, seconds in times.seconds.items()},
        "cached": times.cached,
        "versions": {name: version(name) for name in _PACKAGES},
        "data_fingerprint": maker_properties(str(folder.metadata), examples_artifact).get(
            FINGERPRINT_KEY
        ),
        "code_version": code_version(),
    }
    metrics = without_nan(metrics)
    quarantine = _read_quarantine(os.path.join(examples, QUARANTINE_FILE))
    content = Content(
        metrics=metrics,
        predictions=_read_predictions(os.path.join(evaluation, PREDICTIONS_FILE)),
        history=_read_json(training, HISTORY_FILE),
        quarantine=quarantine,
        config=config.model_dump(),
        lineage=[_lineage(node) for node in run.values()],
        pictures=_read_pictures(evaluation, metrics.get("errors") or ()),
    )
    write_quarantine(folder, quarantine)
    save(folder, content)
    return metrics


def write_quarantine(folder: RunFolder, rows: Sequence[tuple[str, str]]) -> None:
    """Writes report/quarantine.csv: each file that was put aside, and why."""
    part = folder.report / f"{QUARANTINE_FILE}.part"
    write_rows(str(part), rows)
    part.replace(folder.report / QUARANTINE_FILE)


def _read_json(folder: str, name: str) -> Any:
    return json.loads(Path(folder, name).read_text(encoding="utf-8"))


def _read_quarantine(path: str) -> list[tuple[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["file"], row["reason"]) for row in csv.DictReader(file)]


def _read_predictions(path: str) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [
            {**row, "label": int(row["label"]), "probability": float(row["probability"])}
            for row in csv.DictReader(file)
        ]


def _read_pictures(folder: str, errors: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    return {error["picture"]: Path(folder, error["picture"]).read_bytes() for error in errors}


def _lineage(node: NodeRun) -> dict[str, Any]:
    return {
        "node": node.node,
        "execution": node.execution,
        "state": node.state,
        "outputs": [
            {"key": output.key, "artifact": output.artifact, "uri": output.uri}
            for output in node.outputs
        ],
    }
