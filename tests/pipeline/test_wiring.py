"""Every setting arrives where it acts: in a node's parameters, Beam's arguments, a cluster's file.

The settings are read from `Config` itself. One that is new is changed by the rules of `other`, or
by a line of `CHANGED`, and has to be found where its section goes.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo
from tfx.dsl.compiler.compiler import Compiler

from components.shared.nodes import (
    EVALUATOR,
    EXAMPLE_GEN,
    EXAMPLE_VALIDATOR,
    NODES,
    PUSHER,
    REPORTER,
    TRAINER,
    TRANSFORM,
)
from components.shared.section import Section
from pipeline.config import Config
from pipeline.graph import create_pipeline
from pipeline.runners.beam import beam_args
from pipeline.runners.kubeflow.compile import compile_pipeline
from pipeline.settings.beam import BeamConfig
from pipeline.settings.kubeflow import NodeConfig

# Where no rule knows another value, or the one that it knows is forbidden or goes with no other.
CHANGED: dict[str, Any] = {
    "example_gen.undersampling": 2.5,
    "example_gen.patient_key": "/keys/patient",
    "example_gen.table.path": "file",
    "example_gen.table.label": "finding",
    "example_gen.table.pneumonia": ["yes"],
    "example_gen.table.normal": ["no"],
    "example_gen.table.uncertain": ["perhaps"],
    "example_gen.table.other_findings": ["other"],
    "example_gen.table.unknown": "leave_out",
    "example_gen.table.separator": ";",
    "example_gen.table.places": ["films/{path}"],
    "example_gen.table.folder": "batch",
    "example_gen.table.patient": "child",
    "example_gen.table.split": "part",
    "example_gen.table.subtype": "kind",
    "example_gen.table.view": "projection",
    "example_gen.table.frontal": ["front"],
    "example_gen.table.age": "years",
    "trainer.backbone": "/weights/net.keras",
    "trainer.fine_tune": "conv5",
    "trainer.batch_size": 64,
    "trainer.views": None,
    "trainer.train_size": 64,
    "trainer.augmentation.min_area": 0.5,
    "trainer.augmentation.aspect_ratio": 2.0,
    "evaluator.gate.stressed_balanced_accuracy": 0.6,
    "pusher.model_name": "other",
    "beam.artifact_endpoint": "artifacts:1",
    "beam.endpoint": "jobs:1",
    "beam.image": "beam:1",
    "beam.pool": "pool:1",
    "beam.project": "project",
    "beam.region": "region",
    "beam.temp_location": "gs://bucket/temp",
    "kubeflow.image": "registry.example/image:1",
    "kubeflow.data": "pvc://films/set",
    "kubeflow.push": "pvc://models/reader",
    "kubeflow.endpoint": "http://store:9000",
    "kubeflow.secrets": [{"name": "key", "env": {"VARIABLE": "entry"}}],
    "kubeflow.scratch": "pvc://work/runs",
    **{
        f"kubeflow.nodes.{node}.{name}": value
        for node in NODES
        for name, value in {
            "image": f"image:{node.lower()}",
            "cpu": 3.0,
            "memory_gb": 5.0,
            "gpu_type": "amd.com/gpu",
            "node_selector": {"disk": "fast"},
        }.items()
    },
}

# What else is set, and Beam's argument that then has the setting.
BEAM: dict[str, tuple[dict[str, Any], str]] = {
    "runner": ({"runner": "spark", "endpoint": "s"}, "--runner=SparkRunner"),
    "workers": ({"workers": 3}, "--direct_num_workers=3"),
    "endpoint": ({"runner": "portable", "endpoint": "jobs:1"}, "--job_endpoint=jobs:1"),
    "artifact_endpoint": (
        {"runner": "portable", "endpoint": "j", "artifact_endpoint": "artifacts:1"},
        "--artifact_endpoint=artifacts:1",
    ),
    "environment": (
        {"runner": "flink", "endpoint": "f", "environment": "docker", "image": "i"},
        "--environment_type=DOCKER",
    ),
    "pool": (
        {"runner": "flink", "endpoint": "f", "environment": "external", "pool": "pool:1"},
        "--environment_config=pool:1",
    ),
    "image": (
        {"runner": "flink", "endpoint": "f", "environment": "docker", "image": "beam:1"},
        "--sdk_container_image=beam:1",
    ),
    **{
        name: (
            {
                "runner": "dataflow",
                "project": "project",
                "region": "region",
                "temp_location": "gs://bucket/temp",
                "image": "i",
            },
            f"--{name}={CHANGED[f'beam.{name}']}",
        )
        for name in ("project", "region", "temp_location")
    },
}


def leaves(section: type[Section], start: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yields the path of each setting, and what its section declares."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from leaves(kind, f"{start}{name}.")
        else:
            yield f"{start}{name}", field


def other(path: str, field: FieldInfo) -> Any:
    """Returns another value than the default."""
    if path in CHANGED:
        return CHANGED[path]
    default = field.default
    if isinstance(default, bool):
        return not default
    if get_origin(field.annotation) is Literal:
        return next(value for value in get_args(field.annotation) if value != default)
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2 if default else 0.25
    raise AssertionError(f"CHANGED needs another value than {default!r} for {path}")


SETTINGS = dict(leaves(Config))
VALUES = {path: other(path, field) for path, field in SETTINGS.items()}


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of which these are the paths."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        *sections, name = path.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return found


def at(content: Any, path: str) -> Any:
    """Returns what is at a path of a nested object."""
    for key in path.split("."):
        content = content[key]
    return content


@pytest.fixture(scope="module")
def config() -> Config:
    """A configuration in which no setting has its default, but for Beam's."""
    return Config.model_validate(
        nested({path: value for path, value in VALUES.items() if not path.startswith("beam.")})
    )


@pytest.fixture(scope="module")
def parameters(config: Config) -> dict[str, dict[str, Any]]:
    """The execution parameters of each node of the compiled graph."""
    compiled = Compiler().compile(create_pipeline(config, "data", "root", "push"))
    return {
        node.pipeline_node.node_info.id: {
            name: value.field_value.string_value
            for name, value in node.pipeline_node.parameters.parameters.items()
        }
        for node in compiled.nodes
    }


@pytest.fixture(scope="module")
def cluster(config: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two documents for Kubeflow Pipelines."""
    spec, platform = yaml.safe_load_all(compile_pipeline(config))
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def of_section(*sections: str) -> list[str]:
    return [path for path in SETTINGS if path.split(".")[0] in sections]


def test_no_setting_has_its_default() -> None:
    assert len(SETTINGS) > 100
    assert set(CHANGED) <= set(SETTINGS)
    same = [path for path, field in SETTINGS.items() if VALUES[path] == field.default]
    assert same == []
    covered = of_section(*PARAMETERS, "seed", "example_validator", "pusher", "beam", "kubeflow")
    assert covered == list(SETTINGS)


# The node and the parameter whose JSON has a section.
PARAMETERS = {
    "example_gen": (EXAMPLE_GEN, "settings"),
    "transform": (TRANSFORM, "custom_config"),
    "trainer": (TRAINER, "custom_config"),
    "evaluator": (EVALUATOR, "settings"),
}


@pytest.mark.parametrize("path", of_section(*PARAMETERS))
def test_a_node_has_its_settings(path: str, parameters: dict[str, dict[str, Any]]) -> None:
    section, _, within = path.partition(".")
    node, parameter = PARAMETERS[section]
    assert at(json.loads(parameters[node][parameter]), within) == VALUES[path]


def test_what_several_nodes_share(parameters: dict[str, dict[str, Any]]) -> None:
    for section in ("example_gen", "trainer", "evaluator"):
        node, parameter = PARAMETERS[section]
        assert json.loads(parameters[node][parameter])["seed"] == VALUES["seed"] == 2
    trainer = json.loads(parameters[TRAINER]["custom_config"])
    assert trainer["input_size"] == VALUES["transform.input_size"]


@pytest.mark.parametrize("stop", [True, False])
def test_what_happens_on_anomalies(stop: bool) -> None:
    assert of_section("example_validator") == ["example_validator.stop_on_anomalies"]
    config = Config.model_validate({"example_validator": {"stop_on_anomalies": stop}})
    nodes = {node.id: node for node in create_pipeline(config, "data", "root", "push").components}
    name = type(nodes[EXAMPLE_VALIDATOR]).__name__
    assert name == ("StoppingExampleValidator" if stop else "ExampleValidator")


def test_the_report_has_all_of_them(config: Config, parameters: dict[str, dict[str, Any]]) -> None:
    assert json.loads(parameters[REPORTER]["config"]) == config.model_dump()


@pytest.mark.parametrize("name", BeamConfig.model_fields)
def test_beam_has_its_settings(name: str) -> None:
    changes, argument = BEAM[name]
    assert changes[name] != BeamConfig.model_fields[name].default
    beam = BeamConfig.model_validate(changes)
    assert argument in beam_args(beam)
    pipeline = create_pipeline(Config(beam=beam), "data", "root", "push")
    assert pipeline.beam_pipeline_args == beam_args(beam)


def test_a_cluster_has_its_settings(
    config: Config, cluster: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    spec, executors = cluster
    tasks = spec["root"]["dag"]["tasks"]

    def constant(node: str, name: str) -> Any:
        return tasks[node]["inputs"]["parameters"][name]["runtimeValue"]["constant"]

    def args(node: str) -> list[str]:
        found: list[str] = spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"][
            "args"
        ]
        return found

    pusher = spec["deploymentSpec"]["executors"][f"{PUSHER}_executor"]["container"]
    name = VALUES["pusher.model_name"]
    found = {
        "image": spec["deploymentSpec"]["executors"],
        "data": constant(EXAMPLE_GEN, "data"),
        "data_fixed": tasks[EXAMPLE_GEN]["cachingOptions"],
        "push": constant(EVALUATOR, "push_destination"),
        "endpoint": pusher["env"],
        "secrets": executors[f"{PUSHER}_executor"]["secretAsEnv"],
        "scratch": json.loads(constant(TRAINER, "custom_config"))["work_dir"],
        "retries": tasks[TRAINER]["retryPolicy"]["maxRetryCount"],
        "on_refusal": args(REPORTER)[args(REPORTER).index("--on_refusal") + 1],
    }
    # Here every node has an image of its own.
    assert set(found) == {*type(config.kubeflow).model_fields} - {"nodes"}
    assert found | {"image": None} == {
        "image": None,
        "data": "/claims/films/set",
        "data_fixed": {"enableCache": True},
        "push": f"/claims/models/reader/{name}",
        "endpoint": [{"name": "AWS_ENDPOINT_URL", "value": "http://store:9000"}],
        "secrets": [
            {"secretName": "key", "keyToEnv": [{"envVar": "VARIABLE", "secretKey": "entry"}]}
        ],
        "scratch": "/claims/work/runs/Trainer/unfinished",
        "retries": 3,
        "on_refusal": "fail",
    }


def test_the_image_of_all_is_that_of_nodes_without_one() -> None:
    image = VALUES["kubeflow.image"]
    kubeflow = {"image": image, "data": "pvc://films", "push": "pvc://models"}
    spec, _ = yaml.safe_load_all(compile_pipeline(Config.model_validate({"kubeflow": kubeflow})))
    containers = [one["container"] for one in spec["deploymentSpec"]["executors"].values()]
    assert [container["image"] for container in containers] == [image] * len(NODES)


@pytest.mark.parametrize("node", NODES)
def test_a_pod_has_its_settings(node: str, cluster: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec, executors = cluster
    container = spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]
    resources = container["resources"]
    assert resources["memoryRequest"] == resources["memoryLimit"]
    found = {
        "image": container["image"],
        "cpu": resources["cpuRequest"],
        "memory_gb": resources["memoryLimit"],
        "gpus": int(resources["accelerator"]["count"]),
        "gpu_type": resources["accelerator"]["type"],
        "node_selector": executors[f"{node}_executor"]["nodeSelector"]["labels"],
    }
    assert found == {
        name: VALUES[f"kubeflow.nodes.{node}.{name}"] for name in NodeConfig.model_fields
    }
