"""The manifests for Beam's workers and the Trainer's: against schemas, and against each other.

No package has the schemas of FlinkDeployment and TFJob. Their pods are checked as pods, and what is
around them field by field against the operators' references.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions
from apache_beam.runners.worker import worker_pool_main

from pipeline.cli.train_worker import train_worker
from pipeline.config import load_config
from pipeline.runners.beam import beam_args
from support.manifest_schemas import check_kubernetes

ROOT = Path(__file__).parents[3]
KUBEFLOW = ROOT / "kubeflow"
Document = dict[str, Any]


def documents() -> Iterator[tuple[str, Document]]:
    """Yields (file, document) of all manifests."""
    for folder in ("beam", "training"):
        for path in sorted((KUBEFLOW / folder).glob("*.yaml")):
            if path.name != "config.yaml":
                for document in yaml.safe_load_all(path.read_text()):
                    yield f"{folder}/{path.name}", document


def of_kind(kind: str, name: str | None = None) -> Document:
    (found,) = [
        document
        for _, document in documents()
        if document["kind"] == kind and name in (None, document["metadata"]["name"])
    ]
    return found


def flink() -> Document:
    return of_kind("FlinkDeployment")


def tf_job() -> Document:
    return of_kind("TFJob")


def worker_template() -> Document:
    found: Document = flink()["spec"]["taskManager"]["podTemplate"]
    return found


def training_template() -> Document:
    found: Document = tf_job()["spec"]["tfReplicaSpecs"]["Worker"]["template"]
    return found


def container(template: Document, name: str) -> Document:
    found: Document = {each["name"]: each for each in template["spec"]["containers"]}[name]
    return found


def as_pods(template: Document) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "any"},
        "template": template,
    }


def test_what_kubernetes_knows_is_valid() -> None:
    own = {"FlinkDeployment", "TFJob"}
    checked = [document for _, document in documents() if document["kind"] not in own]
    assert {document["kind"] for document in checked} == {
        "Deployment",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Service",
    }
    for document in checked:
        check_kubernetes(document)


def test_the_operators_pods_are_pods() -> None:
    for template in (worker_template(), training_template()):
        check_kubernetes(as_pods(template))
        container(template, template["spec"]["containers"][-1]["name"])["imagee"] = "mistaken"
        with pytest.raises(jsonschema.ValidationError):
            check_kubernetes(as_pods(template))


def test_the_flink_deployment_is_a_session_cluster() -> None:
    """By the operator's reference: FlinkDeploymentSpec, JobManagerSpec, TaskManagerSpec."""
    assert flink()["apiVersion"] == "flink.apache.org/v1beta1"
    spec = flink()["spec"]
    # It has a `job` where it runs one alone.
    assert set(spec) == {
        "image",
        "flinkVersion",
        "serviceAccount",
        "flinkConfiguration",
        "jobManager",
        "taskManager",
    }
    assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())
    for part, fields in (
        ("jobManager", {"resource"}),
        ("taskManager", {"resource", "podTemplate"}),
    ):
        assert set(spec[part]) == fields
        assert set(spec[part]["resource"]) == {"cpu", "memory"}
        assert re.fullmatch(r"\d+m", spec[part]["resource"]["memory"])


def test_flink_and_beam_of_the_image_are_of_one_version() -> None:
    server = container(of_kind("Deployment")["spec"]["template"], "job-server")["image"]
    name, version = server.split(":")
    lock = (ROOT / "requirements" / "lock-tfx-1.21.txt").read_text()
    assert re.search(rf"^apache-beam(\[\S+\])?=={re.escape(version)} ", lock, re.MULTILINE)
    found = re.fullmatch(r"apache/beam_flink(1\.\d+)_job_server", name)
    assert found
    assert found[1] in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    assert flink()["spec"]["flinkVersion"] == f"v{found[1].replace('.', '_')}"
    assert flink()["spec"]["image"].startswith(f"flink:{found[1]}-")


def options(args: list[str]) -> dict[str, str]:
    pairs = [argument.removeprefix("--").partition("=") for argument in args]
    return {name: value for name, _, value in pairs}


def test_the_configuration_names_what_is_there() -> None:
    config = load_config(str(KUBEFLOW / "beam" / "config.yaml"))
    given = options(beam_args(config.beam))
    server = container(of_kind("Deployment")["spec"]["template"], "job-server")
    flags = options(server["args"])
    service = of_kind("Service")
    ports = {port["name"]: port for port in service["spec"]["ports"]}
    for port in server["ports"]:
        assert ports[port["name"]]["targetPort"] == port["name"]
    name = service["metadata"]["name"]
    assert given["job_endpoint"] == f"{name}:{ports['jobs']['port']}"
    assert given["artifact_endpoint"] == f"{name}:{ports['artifacts']['port']}"
    inside = {port["name"]: str(port["containerPort"]) for port in server["ports"]}
    assert (flags["job-port"], flags["artifact-port"]) == (inside["jobs"], inside["artifacts"])
    assert flags["job-host"] == "0.0.0.0"
    # The operator's name for the service of a JobManager.
    assert flags["flink-master"] == f"{flink()['metadata']['name']}-rest:8081"
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()

    # One worker in a task manager, as many task managers as workers.
    assert flink()["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == "1"
    assert "sdk_worker_parallelism" not in given
    assert int(given["parallelism"]) == config.beam.workers
    pool = container(worker_template(), "beam-worker-pool")
    assert given["environment_type"] == "EXTERNAL"
    assert given["environment_config"] == f"localhost:{pool['readinessProbe']['tcpSocket']['port']}"
    module = [*pool["command"], *pool["args"]]
    assert module[:3] == ["python", "-m", worker_pool_main.__name__]
    assert options(module[3:]) == {"service_port": given["environment_config"].split(":")[1]}


def mounts(template: Document, name: str) -> dict[str, str]:
    """Returns the claim at each path of a container."""
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in template["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    return {
        mount["mountPath"]: claims[mount["name"]]
        for mount in container(template, name)["volumeMounts"]
        if mount["name"] in claims
    }


def test_every_worker_has_the_files_where_the_run_has_them() -> None:
    job = of_kind("Job")["spec"]["template"]
    run = mounts(job, "run")
    assert run == {"/data": "chest-xray", "/runs": "chest-xray-runs"}
    assert mounts(worker_template(), "beam-worker-pool") == run
    assert mounts(training_template(), "tensorflow") == {"/runs": run["/runs"]}
    staging = {"/staging": "chest-xray-beam-staging"}
    server = of_kind("Deployment")["spec"]["template"]
    assert (
        mounts(server, "job-server") == mounts(worker_template(), "flink-main-container") == staging
    )
    assert options(container(server, "job-server")["args"])["artifacts-dir"] == "/staging"

    data = yaml.safe_load((KUBEFLOW / "pipeline" / "data-claim.yaml").read_text())
    claims = {data["metadata"]["name"]} | {
        document["metadata"]["name"]
        for _, document in documents()
        if document["kind"] == "PersistentVolumeClaim"
    }
    assert claims == {*run.values(), *staging.values()}
    groups = {
        template["spec"]["securityContext"]["fsGroup"]
        for template in (job, worker_template(), training_template(), server)
    }
    assert len(groups) == 1


def test_workers_have_the_image_of_the_pipeline() -> None:
    config = yaml.safe_load((KUBEFLOW / "pipeline" / "config.yaml").read_text())["kubeflow"]
    image = config["image"]
    assert container(worker_template(), "beam-worker-pool")["image"] == image
    assert container(of_kind("Job")["spec"]["template"], "run")["image"] == image
    assert (
        container(training_template(), "tensorflow")["image"] == config["nodes"]["Trainer"]["image"]
    )


def test_the_policies_let_in_the_run_and_flink() -> None:
    def selects(selector: Document, labels: Document) -> bool:
        return bool(selector["podSelector"]["matchLabels"].items() <= labels.items())

    server = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    run = of_kind("Job")["spec"]["template"]["metadata"]["labels"]
    # Flink's label of the pods of a cluster.
    cluster = {"app": flink()["metadata"]["name"]}
    jobs = of_kind("NetworkPolicy", "chest-xray-beam-jobs")["spec"]
    assert selects(jobs, server)
    ((rule,),) = [rule["from"] for rule in jobs["ingress"]]
    assert selects(rule, run)
    assert not selects(rule, training_template()["metadata"]["labels"])
    policy = of_kind("NetworkPolicy", "chest-xray-beam-flink")["spec"]
    assert selects(policy, cluster)
    among, rest = policy["ingress"]
    assert selects(among["from"][0], cluster)
    assert "ports" not in among
    assert selects(rest["from"][0], server)
    assert rest["ports"] == [{"port": 8081}]


def test_the_training_job_runs_workers_on_the_run() -> None:
    """By the training operator's definition of TFJob: RunPolicy, ReplicaSpec."""
    job = tf_job()
    assert job["apiVersion"] == "kubeflow.org/v1"
    assert set(job["spec"]) == {"runPolicy", "tfReplicaSpecs"}
    assert job["spec"]["runPolicy"] == {"backoffLimit": 3}
    # Without a chief the first worker leads; TF_CONFIG is there where there are two and more.
    (kind,) = job["spec"]["tfReplicaSpecs"]
    replica = job["spec"]["tfReplicaSpecs"][kind]
    assert kind == "Worker"
    assert set(replica) == {"replicas", "restartPolicy", "template"}
    assert replica["replicas"] >= 2
    assert replica["restartPolicy"] == "OnFailure"
    # The operator looks for this name, and leaves a port of 2222 open in it.
    (trainer,) = training_template()["spec"]["containers"]
    assert trainer["name"] == "tensorflow"
    assert trainer["command"] == ["cxr", train_worker.name]
    output = options(container(of_kind("Job")["spec"]["template"], "run")["args"])["output"]
    assert options(trainer["args"]) == {"run": output}
