"""ChestXrayExampleGen's executor, run on films that a test has written."""

import csv
import json
from pathlib import Path

from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from components.example_gen.executor import Executor
from components.example_gen.settings import RunSettings
from support.written_examples import read_examples


def ingest(data: Path, out: Path, how: RunSettings) -> dict[str, dict[str, bytes]]:
    """Runs the executor; returns the serialized Examples by split and file name."""
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(out / "tmp"), unique_id="1"
    )
    artifact = standard_artifacts.Examples()
    artifact.uri = str(out)
    if how.key_file is None:
        how = how.changed(key_file=f"{out}.key")
    properties = {"data": str(data), "settings": how.model_dump_json()}
    Executor(context).Do({}, {"examples": [artifact]}, properties)
    assert json.loads(artifact.split_names) == ["train", "eval", "test"]
    return {split: read_examples(out, split) for split in ("train", "eval", "test")}


def quarantine(out: Path) -> dict[str, str]:
    """The files put aside, with their reasons."""
    with (out / "quarantine.csv").open(newline="") as file:
        return {row["file"]: row["reason"] for row in csv.DictReader(file)}
