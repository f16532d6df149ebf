"""What only Kubernetes knows of: volumes, secrets and machines, the file's second document."""

from typing import Any

from pipeline.kfp import places
from pipeline.kfp.settings import KubeflowConfig

INGEST = "ChestXrayExampleGen"
# They read or write the folder of pushed versions.
PUSHING = ("YoudenEvaluator", "Pusher")
DATA_MOUNT = "/data"
PUSH_MOUNT = "/models"


def data_path(config: KubeflowConfig) -> str:
    """Returns the data set's folder as ingest sees it."""
    return _in_mount(str(config.data), DATA_MOUNT)


def push_destination(config: KubeflowConfig, model_name: str) -> str:
    """Returns the folder of a model's versions, a path in the pod or an object's address."""
    uri = f"{str(config.push).rstrip('/')}/{model_name}"
    return _in_mount(uri, PUSH_MOUNT) if _claim(uri) else uri


def platform_document(config: KubeflowConfig, nodes: list[str]) -> dict[str, Any]:
    """Returns the document in the form of kfp-kubernetes' KubernetesExecutorConfig.

    The data set's volume is mounted as its claim allows: a claim of ReadOnlyMany alone keeps it
    from being written to, since Kubeflow's mounts have no such switch.

    Args:
        config: the cluster's settings.
        nodes: names of the pipeline's nodes.
    """
    executors = {f"{node}_executor": _executor(config, node) for node in nodes}
    executors = {name: executor for name, executor in executors.items() if executor}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _executor(config: KubeflowConfig, node: str) -> dict[str, Any]:
    mounts: list[dict[str, str]] = []
    executor: dict[str, Any] = {}
    if node == INGEST and (claim := _claim(str(config.data))):
        mounts.append({"constant": claim, "mountPath": DATA_MOUNT})
    if node in PUSHING and (claim := _claim(str(config.push))):
        mounts.append({"constant": claim, "mountPath": PUSH_MOUNT})
    if mounts:
        executor["pvcMount"] = mounts
    if node in PUSHING and config.secrets:
        executor["secretAsEnv"] = [
            {
                "secretName": secret.name,
                "keyToEnv": [
                    {"envVar": variable, "secretKey": key} for variable, key in secret.env.items()
                ],
            }
            for secret in config.secrets
        ]
    if selector := config.nodes.of(node).node_selector:
        executor["nodeSelector"] = {"labels": selector}
    return executor


def _claim(uri: str) -> str | None:
    place = places.parse(uri, (places.PVC,))
    return place.root if place else None


def _in_mount(uri: str, mount: str) -> str:
    place = places.parse(uri, (places.PVC,))
    return f"{mount}/{place.path}".rstrip("/") if place else uri
