"""What Kubeflow's server and driver do: take a pipeline, order its nodes, give them their inputs.

Written from Kubeflow's source, not from this project's: it is what the project is held against.
"""

import graphlib
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"
LOGS = "executor-logs"
# What of a task's specification is done here; anything else must not pass unnoticed.
_KNOWN = {
    "taskInfo",
    "componentRef",
    "dependentTasks",
    "inputs",
    "cachingOptions",
    "retryPolicy",
}

Message = dict[str, Any]


class RefusedError(Exception):
    """The server does not take the pipeline."""


class Artifact(NamedTuple):
    """An artifact as the metadata store knows it; its type is lost on the way.

    Attributes:
        name: a number that no other has.
        uri: where it lies.
        metadata: its properties.
    """

    name: str
    uri: str
    metadata: Message

    def told(self) -> Message:
        """Returns it as a node that takes it is told of it."""
        return {
            "name": self.name,
            "uri": self.uri,
            "type": {"instanceSchema": ""},
            "metadata": self.metadata,
        }


def check(spec: Message, platform: Message) -> None:
    """Takes the two documents of a compiled pipeline as the server does, or raises."""
    if spec.get("schemaVersion") != "2.1.0":
        raise RefusedError(f"schema version {spec.get('schemaVersion')} is not supported")
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    for name, executor in spec["deploymentSpec"]["executors"].items():
        if list(executor) != ["container"]:
            raise RefusedError(f"{name}: {'/'.join(executor)} executors are not implemented")
    for config in _executors(platform).values():
        json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    for name, task in spec["root"]["dag"]["tasks"].items():
        if unknown := set(task) - _KNOWN:
            raise NotImplementedError(f"{name}: {', '.join(sorted(unknown))}")


def executor_config(platform: Message, label: str) -> Message:
    """Returns what only Kubernetes knows of a node."""
    config: Message = _executors(platform).get(label, {})
    return config


def order(tasks: Message) -> list[str]:
    """Returns the nodes in an order in which each comes after what it waits for."""
    needs = {
        name: {
            *task.get("dependentTasks", []),
            *(
                given["taskOutputArtifact"]["producerTask"]
                for given in task.get("inputs", {}).get("artifacts", {}).values()
            ),
        }
        for name, task in sorted(tasks.items())
    }
    return list(graphlib.TopologicalSorter(needs).static_order())


def executor_input(
    spec: Message,
    name: str,
    made: Mapping[str, Mapping[str, Artifact]],
    root: str,
    publish_logs: bool,
) -> Message:
    """Returns what a node is told.

    Args:
        spec: the specification.
        name: of the node.
        made: the outputs of each node before it, by key.
        root: address of the run's artifacts.
        publish_logs: whether the node's log is an output too, as by default.
    """
    task = spec["root"]["dag"]["tasks"][name]
    given = task.get("inputs", {})
    folder = f"{root}/{name}/{uuid.uuid4()}"
    component = spec["components"][task["componentRef"]["name"]]
    outputs = {
        key: declared["artifactType"]
        for key, declared in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    if publish_logs:
        outputs[LOGS] = {"schemaTitle": "system.Artifact"}
    told = {
        "inputs": {
            "artifacts": {
                key: {"artifacts": [_source(value, made).told()]}
                for key, value in given.get("artifacts", {}).items()
            },
            "parameterValues": _parameters(component, given.get("parameters", {})),
        },
        "outputs": {
            "artifacts": {
                key: {"artifacts": [{"uri": f"{folder}/{key}", "type": kind, "metadata": {}}]}
                for key, kind in outputs.items()
            },
            "outputFile": OUTPUT_FILE,
        },
    }
    message = json_format.ParseDict(told, pipeline_spec_pb2.ExecutorInput())
    read: Message = json.loads(json_format.MessageToJson(message))
    return read


def fingerprint(told: Message, container: Message, claims: list[str]) -> str:
    """Returns the key of the cache: what a node is given, makes and runs, but no address."""
    inputs, outputs = told.get("inputs", {}), told["outputs"]["artifacts"]
    key = {
        "inputs": {
            name: [one["name"] for one in listed["artifacts"]]
            for name, listed in inputs.get("artifacts", {}).items()
        },
        "parameters": inputs.get("parameterValues", {}),
        "outputs": {name: listed["artifacts"][0]["type"] for name, listed in outputs.items()},
        "image": container["image"],
        "command": [*container["command"], *container["args"]],
        "claims": claims,
        "env": container.get("env", []),
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _executors(platform: Message) -> Message:
    found: Message = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return found


def _source(given: Message, made: Mapping[str, Mapping[str, Artifact]]) -> Artifact:
    source = given["taskOutputArtifact"]
    return made[source["producerTask"]][source["outputArtifactKey"]]


def _parameters(component: Message, given: Message) -> Message:
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    values = {
        name: definition["defaultValue"]
        for name, definition in declared.items()
        if "defaultValue" in definition
    }
    values |= {name: value["runtimeValue"]["constant"] for name, value in given.items()}
    for name, definition in declared.items():
        if name not in values:
            raise RefusedError(f"no value for the parameter {name}")
        if definition["parameterType"] == "STRING" and not isinstance(values[name], str):
            raise NotImplementedError(f"{name} is no string: {values[name]!r}")
    return values
