import pytest

from components.shared.errors import InputError
from components.shared.nodes import NODES
from pipeline.config import load_config
from pipeline.settings.kubeflow import NodesConfig


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "kubeflow.data=/home/me/films",
            "The setting kubeflow.data is '/home/me/films': input should be pvc://CLAIM[/PATH].",
        ),
        (
            "kubeflow.push=gs://bucket",
            "The setting kubeflow.push is 'gs://bucket': input should be pvc://CLAIM[/PATH], "
            "s3://BUCKET[/PATH] or minio://BUCKET[/PATH].",
        ),
        (
            "kubeflow.data=pvc://claim/../etc",
            "The setting kubeflow.data is 'pvc://claim/../etc': input should be pvc://CLAIM[/PATH].",
        ),
        (
            "kubeflow.nodes.Trainr.gpus=1",
            "The setting kubeflow.nodes.Trainr is unknown (did you mean Trainer? allowed here: "
            "ChestXrayExampleGen, SchemaGen, StatisticsGen, ExampleValidator, Transform, Trainer, "
            "YoudenEvaluator, ServingCheck, Pusher, Reporter).",
        ),
        (
            "kubeflow.secrets=[{nam: s, env: {A: b}}]",
            "The setting kubeflow.secrets.0.name is {'nam': 's', 'env': {'A': 'b'}}: field "
            "required.",
        ),
        (
            "kubeflow.secrets=[{name: s, env: {A: b}, keys: c}]",
            "The setting kubeflow.secrets.0.keys is unknown (allowed here: name, env).",
        ),
        (
            "kubeflow.retries=-1",
            "The setting kubeflow.retries is -1: input should be greater than or equal to 0.",
        ),
        (
            "kubeflow.retries=11",
            "The setting kubeflow.retries is 11: input should be less than or equal to 10.",
        ),
        (
            "kubeflow.nodes.Trainer.gpus=-1",
            "The setting kubeflow.nodes.Trainer.gpus is -1: input should be greater than or equal "
            "to 0.",
        ),
        (
            "kubeflow.nodes.Trainer.gpus=65",
            "The setting kubeflow.nodes.Trainer.gpus is 65: input should be less than or equal to "
            "64.",
        ),
        (
            "kubeflow.nodes.Trainer.cpu=0",
            "The setting kubeflow.nodes.Trainer.cpu is 0: input should be greater than 0.",
        ),
        (
            "kubeflow.nodes.Trainer.memory_gb=0",
            "The setting kubeflow.nodes.Trainer.memory_gb is 0: input should be greater than 0.",
        ),
    ],
)
def test_a_setting_that_cannot_be_used(override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config("default", [override])
    assert str(caught.value) == message


@pytest.mark.parametrize("retries", [0, 10])
def test_a_failed_node_may_be_started_again_never_or_ten_times(retries: int) -> None:
    config = load_config("default", [f"kubeflow.retries={retries}"])
    assert config.kubeflow.retries == retries


def test_each_node_has_a_section_of_its_name() -> None:
    assert tuple(NodesConfig.model_fields) == NODES
