"""The settings of a cluster with Kubeflow Pipelines."""

from typing import Literal

from pydantic import Field, field_validator

from components.shared.section import Section
from pipeline import places


class NodeConfig(Section):
    """What the pod of one node is, and where it may run."""

    image: str | None = Field(None, min_length=1, description="null: the image of all")
    cpu: float | None = Field(None, gt=0.0, description="cores asked for")
    memory_gb: float | None = Field(None, gt=0.0, description="asked for, and the most it may have")
    gpus: int = Field(0, ge=0, le=64)
    gpu_type: str = Field("nvidia.com/gpu", min_length=1, description="name of the resource")
    node_selector: dict[str, str] = Field({}, description="labels that a machine must have")


class NodesConfig(Section):
    """One section a node, under the node's own name."""

    ChestXrayExampleGen: NodeConfig = NodeConfig()
    SchemaGen: NodeConfig = NodeConfig()
    StatisticsGen: NodeConfig = NodeConfig()
    ExampleValidator: NodeConfig = NodeConfig()
    Transform: NodeConfig = NodeConfig()
    Trainer: NodeConfig = NodeConfig()
    YoudenEvaluator: NodeConfig = NodeConfig()
    ServingCheck: NodeConfig = NodeConfig()
    Pusher: NodeConfig = NodeConfig()
    Reporter: NodeConfig = NodeConfig()

    def of(self, node: str) -> NodeConfig:
        """Returns the section of a node."""
        config: NodeConfig = getattr(self, node)
        return config


class SecretConfig(Section):
    """A secret whose keys become variables of the nodes that reach the push destination."""

    name: str = Field(min_length=1)
    env: dict[str, str] = Field(min_length=1, description="variable: key of the secret")


class KubeflowConfig(Section):
    """Images, storage and machines; only `cxr kubeflow` reads it."""

    image: str | None = Field(
        None,
        min_length=1,
        description="with the project installed; a fixed tag or a digest, since the cache goes by "
        "its name",
    )
    data: str | None = Field(None, description="the data set's folder or table, pvc://CLAIM[/PATH]")
    data_fixed: bool = Field(
        False,
        description="its files never change (another set has another path), so ingest may come "
        "from the cache",
    )
    push: str | None = Field(
        None,
        description="parent of the model's folder of versions, and of that of the runs' reports: "
        "pvc://CLAIM[/PATH], or s3:// or minio://BUCKET[/PATH]",
    )
    endpoint: str | None = Field(
        None, pattern=r"^https?://\S+$", description="URL of the object store; null: Amazon's"
    )
    secrets: list[SecretConfig] = []
    scratch: str | None = Field(
        None,
        description="where training keeps its checkpoints, pvc://CLAIM[/PATH], so that it goes on "
        "after its pod is lost; null: in the pod, so that it begins anew",
    )
    retries: int = Field(
        2,
        ge=0,
        le=10,
        description="times that a failed node is started again, whatever failed: Kubeflow does not "
        "tell a lost machine from bad input, or from a refusal that is to fail",
    )
    on_refusal: Literal["succeed", "fail"] = Field(
        "succeed", description="how a run ends whose model is refused; nothing is pushed either way"
    )
    nodes: NodesConfig = NodesConfig()

    @field_validator("data", "scratch")
    @classmethod
    def _on_a_claim(cls, value: str | None) -> str | None:
        if value is not None and places.parse(value, (places.PVC,)) is None:
            raise ValueError("Input should be pvc://CLAIM[/PATH]")
        return value

    @field_validator("push")
    @classmethod
    def _on_a_claim_or_in_a_bucket(cls, value: str | None) -> str | None:
        if value is not None and places.parse(value, (places.PVC, *places.S3)) is None:
            raise ValueError(
                "Input should be pvc://CLAIM[/PATH], s3://BUCKET[/PATH] or minio://BUCKET[/PATH]"
            )
        return value
