"""The pipeline as the file that Kubeflow Pipelines takes."""

import json
from typing import Any

import yaml
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from components.shared.errors import InputError
from components.shared.nodes import EXAMPLE_GEN, REPORTER
from pipeline.config import Config
from pipeline.graph import create_pipeline
from pipeline.runners.kubeflow.platform import (
    PUSHING,
    backbone_path,
    data_path,
    patient_key_path,
    platform_document,
    push_destination,
    report_destination,
    scratch_path,
)
from pipeline.settings.kubeflow import KubeflowConfig, NodeConfig

ENTRYPOINT = "pipeline.runners.kubeflow.entrypoint"
# Seconds before a failed node is started again, each time twice as many; and how long after its
# first start it still is. That counts while it runs, so a day of training must fit.
_WAIT_S, _LONGEST_S = 30, 7 * 24 * 3600
_ResourceSpec = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec


def compile_pipeline(config: Config) -> str:
    """Compiles the pipeline: the specification 2.1.0, then what only Kubernetes knows of.

    Returns:
        The YAML; the same for the same configuration.

    Raises:
        InputError: a setting that a cluster needs is not given, or means nothing there.
    """
    cluster = config.kubeflow
    for name in ("image", "data", "push"):
        if getattr(cluster, name) is None:
            raise InputError(
                f"The setting kubeflow.{name} is null: a cluster needs it; give it in the "
                f"configuration file or by --set kubeflow.{name}=..."
            )
    backbone = backbone_path(config.trainer.backbone)
    trainer = config.trainer.model_copy(update={"backbone": backbone})
    key = patient_key_path(config.example_gen.patient_key)
    example_gen = config.example_gen.model_copy(update={"patient_key": key})
    pipeline = create_pipeline(
        config.model_copy(update={"trainer": trainer, "example_gen": example_gen}),
        data_path(cluster),
        # Artifacts have addresses that Kubeflow gives out.
        scratch_path(cluster),
        push_destination(cluster, config.pusher.model_name),
    )
    spec = _specification(pipeline, cluster)
    nodes = sorted(node.id for node in pipeline.components)
    for node in nodes:
        _complete(spec, node, config)
    documents = [spec, platform_document(config, nodes)]
    return yaml.safe_dump_all(documents, sort_keys=True, width=100)


def _specification(pipeline: Pipeline, cluster: KubeflowConfig) -> dict[str, Any]:
    """Has TFX compile the pipeline."""
    images = {"default_image_path": str(cluster.image)}
    for node in pipeline.components:
        config = cluster.nodes.of(node.id)
        images[node.id] = config.image or str(cluster.image)
        node.with_platform_config(_resources(config))
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=images,
            default_commands=["python", "-m", ENTRYPOINT],
            # Kubeflow's server refuses 2.0.
            use_pipeline_spec_2_1=True,
        )
    )
    specification: dict[str, Any] = runner.run(pipeline, write_out=False)["pipelineSpec"]
    return specification


def _resources(config: NodeConfig) -> Any:
    resources = _ResourceSpec(
        cpu_request=config.cpu,
        memory_request=config.memory_gb,
        memory_limit=config.memory_gb,
    )
    if config.gpus:
        resources.accelerator.type = config.gpu_type
        resources.accelerator.count = config.gpus
    return resources


def _complete(spec: dict[str, Any], node: str, config: Config) -> None:
    """Adds to a node what TFX does not state."""
    cluster = config.kubeflow
    container = spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]
    task = spec["root"]["dag"]["tasks"][node]
    # Of its outputs TFX's node is told the addresses alone; their types are lost on the way.
    outputs = spec["components"][node].get("outputDefinitions", {})
    container["args"] += [
        "--json_serialized_outputs_spec_args",
        json.dumps(outputs, sort_keys=True),
    ]
    if node == REPORTER:
        reports = report_destination(cluster, config.pusher.model_name)
        container["args"] += ["--on_refusal", cluster.on_refusal, "--reports", reports]
    if not container.get("resources"):
        container.pop("resources", None)
    if node in PUSHING and cluster.endpoint:
        container["env"] = [{"name": "AWS_ENDPOINT_URL", "value": cluster.endpoint}]
    # Kubeflow's cache knows neither the data set's files nor which version is served.
    if node in PUSHING or (node == EXAMPLE_GEN and not cluster.data_fixed):
        task.pop("cachingOptions", None)
    task["retryPolicy"] = {
        "maxRetryCount": cluster.retries,
        "backoffDuration": f"{_WAIT_S}s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": f"{_LONGEST_S}s",
    }
