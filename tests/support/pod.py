"""What a pod of Kubeflow Pipelines is given: the compiled command, with its ExecutorInput."""

import json
from pathlib import Path
from typing import Any

import yaml

GOLDEN = (
    Path(__file__).parents[1] / "pipeline" / "runners" / "kubeflow" / "golden" / "pipeline.yaml"
)

Message = dict[str, Any]


def compiled() -> Message:
    spec, _ = yaml.safe_load_all(GOLDEN.read_text("utf-8"))
    found: Message = spec
    return found


def artifact(uri: str, **metadata: Any) -> Message:
    """An artifact as Kubeflow's driver gives it to a node that takes it: of no type."""
    return {
        "artifacts": [
            {"name": uri, "uri": uri, "type": {"instanceSchema": ""}, "metadata": metadata}
        ]
    }


def executor_input(
    node: str, pod: Path, store: str, inputs: Message | None = None, **parameters: Any
) -> Message:
    """Returns the ExecutorInput of a node, with the log that the driver adds to the outputs."""
    spec = compiled()
    given = spec["root"]["dag"]["tasks"][node]["inputs"].get("parameters", {})
    constants = {key: value["runtimeValue"]["constant"] for key, value in given.items()}
    outputs = spec["components"][node]["outputDefinitions"]["artifacts"]
    return {
        "inputs": {"artifacts": inputs or {}, "parameterValues": {**constants, **parameters}},
        "outputs": {
            "artifacts": {
                **{key: artifact(f"{store}/{node}/{key}") for key in outputs},
                "executor-logs": {
                    "artifacts": [
                        {
                            "name": "executor-logs",
                            "uri": f"{store}/{node}/executor-logs",
                            "type": {"schemaTitle": "system.Artifact"},
                        }
                    ]
                },
            },
            "outputFile": str(pod / "tmp" / "kfp_outputs" / "output_metadata.json"),
        },
    }


def arguments(node: str, told: Message) -> list[str]:
    """Returns the compiled arguments of a node, the ExecutorInput in its place."""
    args = compiled()["deploymentSpec"]["executors"][f"{node}_executor"]["container"]["args"]
    return [json.dumps(told) if argument == "{{$}}" else argument for argument in args]


def output(told: Message) -> Message:
    """Returns what the node has answered."""
    found: Message = json.loads(Path(told["outputs"]["outputFile"]).read_text("utf-8"))
    return found
