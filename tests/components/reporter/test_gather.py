"""The report's content, gathered from folders as the nodes leave them."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.reporter import executor
from components.reporter.gather import Provenance, Sources, gather
from components.reporter.store import load
from components.shared.run_folder import RunFolder
from support.report_content import content, metrics, png
from support.run_artifacts import write, write_artifacts

CONFIG = {"seed": 1, "trainer": {"backbone": "none"}}
HISTORY = [{"epoch": 0, "loss": 0.5, "eval_auc": 0.75}]
PROVENANCE = Provenance(
    timings={"Trainer": 1.5},
    cached=["SchemaGen"],
    lineage=[{"node": "Trainer", "execution": 3, "state": "COMPLETE", "outputs": []}],
    data_fingerprint="c0ffee",
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """What a run that has pushed version 7 leaves."""
    examples = write(tmp_path / "examples", summary={"kept": {"test": {"NORMAL": 1}}})
    (examples / "quarantine.csv").write_text('file,reason\na.jpeg,"cut off, and empty"\n')
    result = {**metrics(), "auc": float("nan"), "threshold": 0.25}
    evaluation = write(tmp_path / "evaluation", result=result)
    (evaluation / "errors").mkdir()
    (evaluation / "errors" / "000.png").write_bytes(png())
    (evaluation / "predictions.csv").write_text(
        "split,file_name,patient,label,subtype,probability\ntest,a.jpeg,p,1,virus,0.125\n"
    )
    return Sources(
        examples=examples,
        model_run=write(tmp_path / "model_run", history=HISTORY, cost={"epochs_seconds": 2.0}),
        evaluation=evaluation,
        infra_blessing=write(tmp_path / "infra", serving_check={"films": 3}),
        blessed=True,
        pushed={"pushed": True, "pushed_version": "7", "pushed_destination": "/served/7"},
        config=CONFIG,
        provenance=PROVENANCE,
    )


def test_everything_is_read_from_where_it_lies(sources: Sources) -> None:
    found = gather(sources)
    assert found.history == HISTORY
    assert found.quarantine == [("a.jpeg", "cut off, and empty")]
    assert found.config == CONFIG
    assert found.lineage == PROVENANCE.lineage
    assert found.pictures == {"errors/000.png": png()}
    (row,) = found.predictions
    assert (row["split"], row["label"], row["probability"]) == ("test", 1, 0.125)
    expected = {
        "auc": None,
        "threshold": 0.25,
        "youden": metrics()["youden"],
        "pushed": True,
        "pushed_version": "7",
        "model_path": "/served/7",
        "blessed": True,
        "serving_check": {"films": 3},
        "counts": {"kept": {"test": {"NORMAL": 1}}},
        "training_cost": {"epochs_seconds": 2.0},
        "backbone": "none",
        "timings": {"Trainer": 1.5},
        "cached": ["SchemaGen"],
        "data_fingerprint": "c0ffee",
    }
    assert {key: found.metrics[key] for key in expected} == expected


def artifact(kind: type[types.Artifact], uri: Path, **properties: int | str) -> list[Any]:
    made = kind()
    made.uri = str(uri)
    for name, value in properties.items():
        if isinstance(value, int):
            made.set_int_custom_property(name, value)
        else:
            made.set_string_custom_property(name, value)
    return [made]


def write_report(
    tmp_path: Path, blessed: int, pushed: Mapping[str, int | str], **properties: str
) -> RunFolder:
    """Runs the executor on a run's artifacts."""
    run, folder = RunFolder(tmp_path / "run"), tmp_path / "artifacts"
    write_artifacts(folder)
    inputs = {
        "examples": artifact(standard_artifacts.Examples, folder / "examples"),
        "model_run": artifact(standard_artifacts.ModelRun, folder / "model_run"),
        "evaluation": artifact(standard_artifacts.ModelEvaluation, folder / "evaluation"),
        "model_blessing": artifact(standard_artifacts.ModelBlessing, tmp_path, blessed=blessed),
        "infra_blessing": artifact(standard_artifacts.InfraBlessing, folder / "infra_blessing"),
        "pushed_model": artifact(standard_artifacts.PushedModel, tmp_path, **pushed),
    }
    report = artifact(standard_artifacts.ModelEvaluation, run.report)
    exec_properties = {"config": json.dumps(CONFIG), **properties}
    executor.Executor().Do(inputs, {"report": report}, exec_properties)
    return run


def test_the_node_writes_a_pushed_model_s_report_with_what_metadata_knows(tmp_path: Path) -> None:
    pushed: dict[str, int | str] = {
        "pushed": 1,
        "pushed_version": "7",
        "pushed_destination": "/served/7",
    }
    provenance = json.dumps(dataclasses.asdict(PROVENANCE))
    found = load(write_report(tmp_path, 1, pushed, provenance=provenance))
    expected = {
        "pushed": True,
        "pushed_version": "7",
        "model_path": "/served/7",
        "blessed": True,
        "timings": {"Trainer": 1.5},
        "cached": ["SchemaGen"],
        "data_fingerprint": "c0ffee",
        "backbone": "none",
    }
    assert {key: found.metrics[key] for key in expected} == expected
    assert found.lineage == PROVENANCE.lineage
    assert found.config == CONFIG
    assert found.history == content().history


def test_the_node_writes_a_refused_model_s_report_without_metadata(tmp_path: Path) -> None:
    run = write_report(tmp_path, 0, {"pushed": 0})
    found = load(run).metrics
    assert (found["pushed"], found["blessed"], found["pushed_version"]) == (False, False, None)
    assert found["timings"] is found["cached"] is found["data_fingerprint"] is None
    assert json.loads((run.report / "metrics.json").read_text()) == found
    assert "The times of the nodes are not known" in (run.report / "report.html").read_text()
    quarantine = (run.report / "quarantine.csv").read_text()
    assert quarantine == "file,reason\na.jpeg,cut off\n"
