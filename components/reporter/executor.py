"""Reporter's executor."""

import json
import shutil
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.reporter.gather import Provenance, Sources, gather
from components.reporter.store import save
from components.shared.artifacts import QUARANTINE_FILE

EXAMPLES_KEY = "examples"
MODEL_RUN_KEY = "model_run"
EVALUATION_KEY = "evaluation"
MODEL_BLESSING_KEY = "model_blessing"
INFRA_BLESSING_KEY = "infra_blessing"
PUSHED_MODEL_KEY = "pushed_model"
REPORT_KEY = "report"
CONFIG_KEY = "config"
PROVENANCE_KEY = "provenance"


class Executor(base_executor.BaseExecutor):
    """Writes the report of a run whose model was pushed or refused."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report.

        Args:
            input_dict: `examples`, `model_run`, `evaluation`, `model_blessing`, `infra_blessing`
                and `pushed_model`.
            output_dict: `report`: `report.html`, `metrics.json`, `quarantine.csv`, and
                `content.json` and pictures, of which `cxr report` makes the page again.
            exec_properties: `config`, the JSON of the resolved configuration; `provenance`, the
                JSON of what ML Metadata knows, missing where the runner has no driver.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        report = Path(artifact_utils.get_single_uri(output_dict[REPORT_KEY]))
        sources = _sources(input_dict, exec_properties)
        report.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sources.examples / QUARANTINE_FILE, report / QUARANTINE_FILE)
        save(report, gather(sources))


def _sources(
    input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]
) -> Sources:
    def folder(key: str) -> Path:
        return Path(artifact_utils.get_single_uri(input_dict[key]))

    blessing = artifact_utils.get_single_instance(input_dict[MODEL_BLESSING_KEY])
    provenance = json.loads(exec_properties.get(PROVENANCE_KEY) or "{}")
    return Sources(
        examples=folder(EXAMPLES_KEY),
        model_run=folder(MODEL_RUN_KEY),
        evaluation=folder(EVALUATION_KEY),
        infra_blessing=folder(INFRA_BLESSING_KEY),
        blessed=model_utils.is_model_blessed(blessing),
        pushed=_pushed(artifact_utils.get_single_instance(input_dict[PUSHED_MODEL_KEY])),
        config=json.loads(exec_properties[CONFIG_KEY]),
        provenance=Provenance(**provenance),
    )


def _pushed(artifact: types.Artifact) -> dict[str, Any]:
    """Returns Pusher's note."""
    if not artifact.get_int_custom_property("pushed"):
        return {}
    keys = ("pushed_version", "pushed_destination")
    return {"pushed": True, **{key: artifact.get_string_custom_property(key) for key in keys}}
