"""What only Kubernetes knows of: volumes, secrets and machines, the file's second document."""

from typing import Any

from components.shared.errors import InputError
from components.shared.nodes import EVALUATOR, EXAMPLE_GEN, PUSHER, REPORTER, TRAINER
from components.trainer.settings import NAMED_WEIGHTS
from pipeline import places
from pipeline.config import Config
from pipeline.settings.kubeflow import KubeflowConfig

# They read or write where models are pushed.
PUSHING = (EVALUATOR, PUSHER, REPORTER)
# Each claim lies in it under its own name, so that a pod mounts none twice, which is forbidden.
_CLAIMS = "/claims"
# For what a node keeps while it works, where no claim is given.
_SCRATCH = "/tmp/cxr"


def data_path(config: KubeflowConfig) -> str:
    """Returns the data set's folder or table as ingest sees it."""
    return _in_pod(str(config.data))


def push_destination(config: KubeflowConfig, model_name: str) -> str:
    """Returns the folder of a model's versions, a path in the pod or an object's address."""
    return _in_pod(f"{str(config.push).rstrip('/')}/{model_name}")


def report_destination(config: KubeflowConfig, model_name: str) -> str:
    """Returns the folder of the runs' reports, beside that of the model's versions.

    It is not inside: a server that watches the versions must not see it.
    """
    return f"{push_destination(config, model_name)}-reports"


def scratch_path(config: KubeflowConfig) -> str:
    """Returns the folder for what a node keeps while it works, such as checkpoints."""
    return _in_pod(config.scratch or _SCRATCH)


def backbone_path(backbone: str) -> str:
    """Returns the backbone as the Trainer's pod finds it.

    Raises:
        InputError: it is a path that means something on this machine alone.
    """
    if backbone in NAMED_WEIGHTS or backbone.startswith("/") or _claim(backbone):
        return _in_pod(backbone)
    raise InputError(
        f"The setting trainer.backbone is {backbone!r}, which no pod can find: give "
        "pvc://CLAIM/PATH, an absolute path in the image, 'imagenet' or 'none'."
    )


def patient_key_path(key: str | None) -> str | None:
    """Returns the file of the patient key as ingest's pod finds it.

    Raises:
        InputError: it is a path that means something on this machine alone.
    """
    if key is None or key.startswith("/") or _claim(key):
        return key and _in_pod(key)
    raise InputError(
        f"The setting example_gen.patient_key is {key!r}, which no pod can find: give "
        "pvc://CLAIM/PATH, or an absolute path in the image."
    )


def platform_document(config: Config, nodes: list[str]) -> dict[str, Any]:
    """Returns the document in the form of kfp-kubernetes' KubernetesExecutorConfig.

    The data set's volume is mounted as its claim allows: a claim of ReadOnlyMany alone keeps it
    from being written to, since Kubeflow's mounts have no such switch.

    Args:
        config: names the claims, the secrets and the machines.
        nodes: names of the pipeline's nodes.
    """
    executors = {f"{node}_executor": _executor(config, node) for node in nodes}
    executors = {name: executor for name, executor in executors.items() if executor}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _executor(config: Config, node: str) -> dict[str, Any]:
    cluster = config.kubeflow
    executor: dict[str, Any] = {}
    if claims := _claims(config, node):
        executor["pvcMount"] = [
            {"constant": claim, "mountPath": f"{_CLAIMS}/{claim}"} for claim in claims
        ]
    if node in PUSHING and cluster.secrets:
        executor["secretAsEnv"] = [
            {
                "secretName": secret.name,
                "keyToEnv": [
                    {"envVar": variable, "secretKey": key} for variable, key in secret.env.items()
                ],
            }
            for secret in cluster.secrets
        ]
    if selector := cluster.nodes.of(node).node_selector:
        executor["nodeSelector"] = {"labels": selector}
    return executor


def _claims(config: Config, node: str) -> list[str]:
    """Returns the names of the claims that a node needs."""
    cluster = config.kubeflow
    if node == EXAMPLE_GEN:
        uris = [cluster.data, config.example_gen.patient_key]
    elif node == TRAINER:
        uris = [cluster.scratch, config.trainer.backbone]
    else:
        uris = [cluster.push] if node in PUSHING else []
    found = (_claim(uri) for uri in uris if uri)
    return sorted({claim for claim in found if claim})


def _claim(uri: str) -> str | None:
    place = places.parse(uri, (places.PVC,))
    return place.root if place else None


def _in_pod(uri: str) -> str:
    """Returns the path of what lies on a claim; other addresses stay."""
    place = places.parse(uri, (places.PVC,))
    return f"{_CLAIMS}/{place.root}/{place.path}".rstrip("/") if place else uri
