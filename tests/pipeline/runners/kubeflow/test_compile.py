"""The compiled pipeline, read by those who take it on a cluster."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kfp.components
import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from components.shared.errors import InputError
from components.shared.nodes import NODES
from pipeline.cli import main
from pipeline.config import load_config
from pipeline.runners.kubeflow.compile import compile_pipeline

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "kubeflow" / "pipeline" / "config.yaml"
GOLDEN = Path(__file__).parent / "golden" / "pipeline.yaml"


@pytest.fixture(scope="module")
def text() -> str:
    return compile_pipeline(load_config(str(EXAMPLE)))


@pytest.fixture(scope="module")
def documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    spec, platform = yaml.safe_load_all(text)
    return spec, platform


def container(documents: tuple[dict[str, Any], dict[str, Any]], node: str) -> dict[str, Any]:
    found: dict[str, Any] = documents[0]["deploymentSpec"]["executors"][f"{node}_executor"][
        "container"
    ]
    return found


def test_the_command_writes_the_golden_file(tmp_path: Path) -> None:
    # After a change that is wanted, the command below writes it anew.
    output = tmp_path / "new" / "pipeline.yaml"
    assert main(["kubeflow", "compile", "--config", str(EXAMPLE), "--output", str(output)]) == 0
    # The one thing that is not the same from every release of TFX.
    golden = GOLDEN.read_text("utf-8").replace("tfx-1.16.0\n", f"tfx-{version('tfx')}\n")
    assert output.read_text("utf-8") == golden


def test_kfp_reads_both_documents(
    text: str, documents: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    loaded = kfp.components.load_component_from_text(text)
    assert loaded.pipeline_spec.pipeline_info.name == "chest-xray-pneumonia"
    # Kubeflow's server refuses any other.
    assert loaded.pipeline_spec.schema_version == "2.1.0"
    assert "kubernetes" in loaded.platform_spec.platforms
    json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())


def test_every_node_is_a_container_that_runs_the_projects_entry_point(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    executors = documents[0]["deploymentSpec"]["executors"]
    names = {f"{node}_executor" for node in NODES}
    assert set(executors) == names
    # Kubeflow runs no resolver, and knows nothing of what is to be done before a cache is asked.
    for executor in executors.values():
        assert list(executor) == ["container"]
        assert "lifecycle" not in executor["container"]
        assert executor["container"]["command"] == [
            "python",
            "-m",
            "pipeline.runners.kubeflow.entrypoint",
        ]


def test_each_node_has_its_machine(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    trainer = container(documents, "Trainer")
    assert trainer["image"] == "registry.example/chest-xray-pneumonia:0.1.0-gpu"
    assert trainer["resources"] == {
        "cpuRequest": 4.0,
        "memoryRequest": 16.0,
        "memoryLimit": 16.0,
        "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
    }
    ingest = container(documents, "ChestXrayExampleGen")
    assert ingest["image"] == "registry.example/chest-xray-pneumonia:0.1.0"
    assert "accelerator" not in ingest["resources"]
    assert "resources" not in container(documents, "SchemaGen")


def test_what_only_kubernetes_knows(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    read = {
        name: json_format.ParseDict(
            executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        )
        for name, executor in executors.items()
    }
    assert set(read) == {
        "ChestXrayExampleGen_executor",
        "Pusher_executor",
        "Reporter_executor",
        "Trainer_executor",
        "YoudenEvaluator_executor",
    }
    mount = read["ChestXrayExampleGen_executor"].pvc_mount[0]
    assert (mount.constant, mount.mount_path) == ("chest-xray", "/claims/chest-xray")
    assert dict(read["Trainer_executor"].node_selector.labels) == {"accelerator": "nvidia"}
    for node in ("Pusher_executor", "YoudenEvaluator_executor", "Reporter_executor"):
        secret = read[node].secret_as_env[0]
        assert secret.secret_name == "mlpipeline-minio-artifact"
        assert {pair.env_var: pair.secret_key for pair in secret.key_to_env} == {
            "AWS_ACCESS_KEY_ID": "accesskey",
            "AWS_SECRET_ACCESS_KEY": "secretkey",
        }
        assert len(read[node].pvc_mount) == 0
    endpoint = [{"name": "AWS_ENDPOINT_URL", "value": "http://minio-service.kubeflow:9000"}]
    assert container(documents, "Pusher")["env"] == endpoint


def test_nothing_in_it_is_of_the_machine_that_compiled_it(text: str) -> None:
    assert str(ROOT) not in text
    assert "schema_file" in text
    assert "constant: components/example_validator/schema.pbtxt" in text


def test_a_volume_to_push_to_and_data_that_change() -> None:
    config = load_config(
        str(EXAMPLE), ["kubeflow.push=pvc://models/reader", "kubeflow.data_fixed=false"]
    )
    spec, platform = yaml.safe_load_all(compile_pipeline(config))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for node in ("YoudenEvaluator", "Pusher", "Reporter"):
        assert executors[f"{node}_executor"]["pvcMount"] == [
            {"constant": "models", "mountPath": "/claims/models"}
        ]
    tasks = spec["root"]["dag"]["tasks"]
    destination = tasks["YoudenEvaluator"]["inputs"]["parameters"]["push_destination"]
    assert destination == {"runtimeValue": {"constant": "/claims/models/reader/pneumonia"}}
    # No cache can see another film, or another champion.
    uncached = {name for name, task in tasks.items() if "cachingOptions" not in task}
    assert uncached == {"ChestXrayExampleGen", "YoudenEvaluator", "Pusher", "Reporter"}
    args = container((spec, platform), "Reporter")["args"]
    assert args[-2:] == ["--reports", "/claims/models/reader/pneumonia-reports"]


def test_training_goes_on_and_finds_its_weights_on_claims() -> None:
    config = load_config(
        str(EXAMPLE),
        ["kubeflow.scratch=pvc://work/runs", "trainer.backbone=pvc://weights/nets/resnet.keras"],
    )
    spec, platform = yaml.safe_load_all(compile_pipeline(config))
    parameters = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    settings = json.loads(parameters["custom_config"]["runtimeValue"]["constant"])
    assert settings["work_dir"] == "/claims/work/runs/Trainer/unfinished"
    assert settings["backbone"] == "/claims/weights/nets/resnet.keras"
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["Trainer_executor"]["pvcMount"] == [
        {"constant": "weights", "mountPath": "/claims/weights"},
        {"constant": "work", "mountPath": "/claims/work"},
    ]


def test_a_pod_mounts_no_claim_twice() -> None:
    config = load_config(
        str(EXAMPLE), ["kubeflow.scratch=pvc://a/work", "trainer.backbone=pvc://a/net.keras"]
    )
    _, platform = yaml.safe_load_all(compile_pipeline(config))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["Trainer_executor"]["pvcMount"] == [
        {"constant": "a", "mountPath": "/claims/a"}
    ]


@pytest.mark.parametrize("backbone", ["nets/resnet.keras", "~/resnet.keras", "pvc://Weights/a"])
def test_weights_that_no_pod_can_find(backbone: str) -> None:
    config = load_config(str(EXAMPLE), [f"trainer.backbone={backbone}"])
    with pytest.raises(InputError) as caught:
        compile_pipeline(config)
    assert str(caught.value) == (
        f"The setting trainer.backbone is '{backbone}', which no pod can find: give "
        "pvc://CLAIM/PATH, an absolute path in the image, 'imagenet' or 'none'."
    )


def test_weights_in_the_image_stay_where_they_are() -> None:
    config = load_config(str(EXAMPLE), ["trainer.backbone=/opt/weights/resnet.keras"])
    assert '"backbone": "/opt/weights/resnet.keras"' in " ".join(compile_pipeline(config).split())


def test_the_patient_key_lies_on_a_claim() -> None:
    config = load_config(str(EXAMPLE), ["example_gen.patient_key=pvc://keys/patient"])
    spec, platform = yaml.safe_load_all(compile_pipeline(config))
    assert '"patient_key":"/claims/keys/patient"' in json.dumps(spec).replace("\\", "")
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    claims = [mount["constant"] for mount in executors["ChestXrayExampleGen_executor"]["pvcMount"]]
    assert claims == ["chest-xray", "keys"]
    with pytest.raises(InputError, match=r"example_gen\.patient_key is 'keys/a', which no pod can"):
        compile_pipeline(load_config(str(EXAMPLE), ["example_gen.patient_key=keys/a"]))


def test_a_failed_node_is_started_again_as_often_as_kfp_would(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    def a() -> None:
        """Does nothing."""

    @kfp.dsl.pipeline(name="p")
    def pipeline() -> None:
        kfp.dsl.component(a, base_image="python")().set_retry(2, "30s", 2.0, "3600s")

    task = pipeline.pipeline_spec.root.dag.tasks["a"]
    expected = json_format.MessageToDict(task.retry_policy)
    # kfp cuts this down to an hour, after whose training no lost pod would be started again.
    expected["backoffMaxDuration"] = "604800s"
    for given in documents[0]["root"]["dag"]["tasks"].values():
        assert given["retryPolicy"] == expected
    config = load_config(str(EXAMPLE), ["kubeflow.retries=0"])
    spec, _ = yaml.safe_load_all(compile_pipeline(config))
    assert spec["root"]["dag"]["tasks"]["Trainer"]["retryPolicy"]["maxRetryCount"] == 0


def test_how_a_refusal_ends_a_run_leaves_the_other_nodes_in_the_cache(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    config = load_config(str(EXAMPLE), ["kubeflow.on_refusal=fail"])
    spec, _ = yaml.safe_load_all(compile_pipeline(config))
    before, after = documents[0]["deploymentSpec"]["executors"], spec["deploymentSpec"]["executors"]
    assert {node for node in before if before[node] != after[node]} == {"Reporter_executor"}
    assert after["Reporter_executor"]["container"]["args"][-4:] == [
        *("--on_refusal", "fail"),
        *("--reports", "s3://models/pneumonia-reader/pneumonia-reports"),
    ]


@pytest.mark.parametrize("name", ["image", "data", "push"])
def test_a_setting_that_a_cluster_needs(name: str) -> None:
    config = load_config(str(EXAMPLE), [f"kubeflow.{name}=null"])
    with pytest.raises(InputError, match=f"^The setting kubeflow.{name} is null: a cluster needs"):
        compile_pipeline(config)
