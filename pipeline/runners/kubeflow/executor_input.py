"""What Kubeflow tells a node, and what the node answers, between its form and TFX's.

Both are JSON: ExecutorInput and ExecutorOutput of Kubeflow's specification.
"""

import copy
import re
from typing import Any

from components.shared.nodes import REPORTER
from pipeline import places

PUSH_DESTINATION = "push_destination"
PUSHED_MODEL = "pushed_model"
MODEL = "model"
REPORT = "report"
_REMOTE = re.compile(r"(s3|minio)://[^\s\"]+")

Message = dict[str, Any]


def push_destination(told: Message) -> str | None:
    """Returns the address of the bucket's folder of versions that a node reads or writes.

    The parameter is the address itself, or the JSON of TFX's PushDestination.
    """
    value = told.get("inputs", {}).get("parameterValues", {}).get(PUSH_DESTINATION, "")
    match = _REMOTE.search(value)
    return match[0] if match else None


def to_tfx(told: Message, inputs_spec: Message, outputs_spec: Message, root: str) -> Message:
    """Returns an ExecutorInput that TFX can read.

    Kubeflow leaves the artifacts' types empty, adds an output for the node's log, and gives
    addresses that TFX cannot open. Here every artifact that the node declares has its declared
    type and a local path, and there is no other.

    Args:
        told: the ExecutorInput.
        inputs_spec: what the node declares to take, a ComponentInputsSpec.
        outputs_spec: what it declares to make, a ComponentOutputsSpec.
        root: of the pod's files.
    """
    told = copy.deepcopy(told)
    for side, spec in (("inputs", inputs_spec), ("outputs", outputs_spec)):
        declared = spec.get("artifacts", {})
        artifacts = told.get(side, {}).get("artifacts", {})
        told.setdefault(side, {})["artifacts"] = {
            key: {"artifacts": [_localized(one, declared[key], root) for one in listed]}
            for key, listed in ((key, item["artifacts"]) for key, item in artifacts.items())
            if key in declared
        }
    destination = push_destination(told)
    if destination:
        parameters = told["inputs"]["parameterValues"]
        local = places.to_local(destination, root)
        parameters[PUSH_DESTINATION] = parameters[PUSH_DESTINATION].replace(destination, local)
    return told


def from_tfx(made: Message, root: str) -> Message:
    """Returns TFX's ExecutorOutput with the addresses that Kubeflow knows.

    Args:
        made: the ExecutorOutput, with local paths as addresses and among the properties.
        root: of the pod's files.
    """
    made = copy.deepcopy(made)
    for artifact in artifacts_of(made):
        artifact["uri"] = places.to_remote(artifact["uri"], root)
        for name, value in artifact.get("metadata", {}).items():
            if isinstance(value, str):
                artifact["metadata"][name] = places.to_remote(value, root)
    return made


def artifacts_of(side: Message) -> list[Message]:
    """Returns all artifacts of an ExecutorOutput, or of one side of an ExecutorInput."""
    return [one for item in side.get("artifacts", {}).values() for one in item["artifacts"]]


def refusal(told: Message, made: Message) -> str | None:
    """Returns why Pusher has not pushed; None where it has, or where the node knows nothing of it.

    Args:
        told: the ExecutorInput of Pusher, or of a node that takes what Pusher made.
        made: its ExecutorOutput.
    """
    given = told.get("inputs", {}).get("artifacts", {})
    pushed = made.get("artifacts", {}).get(PUSHED_MODEL) or given.get(PUSHED_MODEL)
    if pushed is None or pushed["artifacts"][0].get("metadata", {}).get("pushed"):
        return None
    blessing = given["model_blessing"]["artifacts"][0]
    if not blessing.get("metadata", {}).get("blessed"):
        return "the gate refused the model"
    return "the model failed the check of its serving"


def report_name(told: Message) -> str:
    """Returns the name of a run's report: the pushed version, or the run's own where there is none.

    Args:
        told: the ExecutorInput of Reporter.
    """
    pushed = told["inputs"]["artifacts"][PUSHED_MODEL]["artifacts"][0].get("metadata", {})
    if pushed.get("pushed"):
        return str(pushed["pushed_version"])
    # A node's outputs lie in a folder of its own, within that of the run.
    uri: str = told["outputs"]["artifacts"][REPORT]["artifacts"][0]["uri"]
    return uri.rpartition(f"/{REPORTER}/")[0].rpartition("/")[2]


def _localized(artifact: Message, declared: Message, root: str) -> Message:
    return {
        **artifact,
        "uri": places.to_local(artifact["uri"], root),
        "type": declared["artifactType"],
    }
