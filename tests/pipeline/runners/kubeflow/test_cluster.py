"""The compiled pipeline, run from its films to its pushed model as Kubeflow Pipelines runs it.

Pods are processes of this machine; where CXR_IMAGE names an image, containers of it.
"""

import csv
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import yaml
from conftest import TINY_SETTINGS, FinishedRun

from components.shared.features import SPLITS
from components.shared.nodes import NODES
from pipeline.config import load_config
from pipeline.runners.kubeflow.compile import compile_pipeline
from support.kfp_cluster import driver
from support.kfp_cluster.cluster import KILLED, Cluster, Run
from support.kfp_cluster.launcher import Launcher
from support.kfp_cluster.pods import Claim, Containers, Processes
from support.object_store import KEY, SECRET, Server, Store
from support.written_examples import read_examples

IMAGE = os.environ.get("CXR_IMAGE")
ARTIFACTS, MODELS = "pipelines", "readers"
FOLDER = "reader/pneumonia"
REPORTS = "reader/pneumonia-reports"
# They ask the push destination, of which no cache knows; and what takes their outputs.
UNCACHED = ["YoudenEvaluator", "ServingCheck", "Pusher", "Reporter"]
STOCK = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"


class Site(NamedTuple):
    """A cluster, and what a person has around it."""

    cluster: Cluster
    server: Server
    store: Store
    work: Path
    models: Path

    def compiled(self, *settings: str) -> str:
        """Compiles the tiny pipeline for the cluster."""
        secret = "{AWS_ACCESS_KEY_ID: accesskey, AWS_SECRET_ACCESS_KEY: secretkey}"
        cluster = (
            f"kubeflow.image={IMAGE or 'none'}",
            "kubeflow.data=pvc://films/chest_xray",
            "kubeflow.data_fixed=true",
            f"kubeflow.push=s3://{MODELS}/reader",
            f"kubeflow.endpoint={self.server.url}",
            f"kubeflow.secrets=[{{name: store, env: {secret}}}]",
            "kubeflow.scratch=pvc://work/runs",
        )
        return compile_pipeline(load_config("seed", [*TINY_SETTINGS, *cluster, *settings]))

    def versions(self) -> dict[str, list[str]]:
        """Returns the files of each version in the bucket."""
        found: dict[str, list[str]] = {}
        for key in self.store.keys(MODELS):
            if key.startswith(f"{REPORTS}/"):
                continue
            assert key.startswith(f"{FOLDER}/")
            version, _, path = key.removeprefix(f"{FOLDER}/").partition("/")
            found.setdefault(version, []).append(path)
        return found

    def report(self, name: str) -> dict[str, bytes]:
        """Returns the files of a run's report in the bucket."""
        start = f"{REPORTS}/{name}/"
        return {
            key.removeprefix(start): self.store.client.get_object(Bucket=MODELS, Key=key)[
                "Body"
            ].read()
            for key in self.store.keys(MODELS, start)
        }

    def fetch(self, bucket: str, prefix: str, folder: Path) -> Path:
        """Brings the objects below a prefix; returns where they are."""
        for key in self.store.keys(bucket, f"{prefix}/"):
            path = folder / key.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.client.download_file(bucket, key, str(path))
        return folder

    def artifact(self, run: Run, node: str, key: str, file: str) -> str:
        """Returns a file of an artifact."""
        start = run.nodes[node].outputs[key].uri.removeprefix(f"minio://{ARTIFACTS}/")
        found = self.store.client.get_object(Bucket=ARTIFACTS, Key=f"{start}/{file}")
        text: str = found["Body"].read().decode()
        return text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, finished_run: FinishedRun) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("cluster")
    for name in ("work", "models"):
        (folder / name).mkdir()
    way = Containers() if IMAGE else nullcontext(Processes())
    with way as pods, Server(pods.host) as server:
        store = Store(server.url)
        for bucket in (ARTIFACTS, MODELS):
            store.client.create_bucket(Bucket=bucket)
        cluster = Cluster(
            pods,
            store,
            f"minio://{ARTIFACTS}/v2/artifacts",
            folder,
            {
                "films": Claim(finished_run.data.parent, read_only=True),
                "work": Claim(folder / "work"),
                "models": Claim(folder / "models"),
            },
            {
                "store": {"accesskey": KEY, "secretkey": SECRET},
                "stale": {"accesskey": "yesterday's", "secretkey": SECRET},
            },
        )
        yield Site(cluster, server, store, folder / "work", folder / "models")
        for bucket in (ARTIFACTS, MODELS):
            for key in store.keys(bucket):
                store.client.delete_object(Bucket=bucket, Key=key)
            store.client.delete_bucket(Bucket=bucket)


@pytest.fixture(scope="module")
def champion(site: Site, finished_run: FinishedRun) -> str:
    """A version that is served before: the local run's model."""
    model = local_model(finished_run)
    for path in model.rglob("*"):
        if path.is_file():
            key = f"{FOLDER}/1/{path.relative_to(model).as_posix()}"
            site.store.client.upload_file(str(path), MODELS, key)
    return "1"


@pytest.fixture(scope="module")
def first(site: Site, champion: str) -> Run:
    """The first run, which much befalls: see the mishaps."""

    @contextmanager
    def after_a_checkpoint() -> Iterator[Callable[[], bool]]:
        unfinished = site.work / "runs" / "Trainer" / "unfinished"
        yield lambda: any(unfinished.glob("*/history.json"))

    @contextmanager
    def while_the_store_takes_nothing() -> Iterator[Callable[[], bool]]:
        with site.server.refusing("PUT", "POST", "DELETE"):
            yield lambda: False

    @contextmanager
    def amid_the_upload() -> Iterator[Callable[[], bool]]:
        reached, gone = threading.Event(), threading.Event()

        def watch(method: str, path: str) -> None:
            if method == "PUT" and "/variables/variables.data" in path:
                reached.set()
                gone.wait(60)

        site.server.watch = watch
        try:
            yield reached.is_set
        finally:
            site.server.watch = None
            gone.set()

    return site.cluster.run(
        site.compiled(),
        {
            "Trainer": [after_a_checkpoint],
            "Pusher": [while_the_store_takes_nothing, amid_the_upload],
        },
    )


def local_model(finished_run: FinishedRun) -> Path:
    """Returns the folder of the SavedModel that the same films, settings and seed gave here."""
    folder = Path(finished_run.nodes["YoudenEvaluator"].output("calibrated_model").uri)
    (graph,) = folder.rglob("saved_model.pb")
    return graph.parent


def answers(model: Path, films: list[bytes]) -> Any:
    answer = tf.saved_model.load(str(model)).signatures["serving_default"]
    return answer(image_bytes=tf.constant(films))


def test_a_run_outlives_what_befalls_it(first: Run) -> None:
    assert first.succeeded, [node.attempts[-1].log for node in first.nodes.values()][-1]
    assert sorted(first.nodes) == sorted(NODES)
    assert first.cached == []
    statuses = {name: node.statuses for name, node in first.nodes.items()}
    # The store that takes nothing is bad input: it is the destination that somebody gave.
    befallen = {"Trainer": [KILLED, 0], "Pusher": [2, KILLED, 0]}
    assert statuses == {name: befallen.get(name, [0]) for name in NODES}


def test_training_goes_on_in_another_pod(site: Site, first: Run, finished_run: FinishedRun) -> None:
    assert "Training goes on after epoch" in first.nodes["Trainer"].attempts[1].log
    history = json.loads(site.artifact(first, "Trainer", "model_run", "history.json"))
    assert [line["epoch"] for line in history] == list(range(30))
    assert list((site.work / "runs" / "Trainer" / "unfinished").iterdir()) == []
    local = Path(finished_run.nodes["Trainer"].output("model_run").uri)
    expected = json.loads((local / "history.json").read_text())
    assert [line["loss"] for line in history] == pytest.approx(
        [line["loss"] for line in expected], rel=1e-3
    )


def test_a_store_that_takes_nothing_is_told_of(first: Run) -> None:
    log = first.nodes["Pusher"].attempts[0].log
    assert "Traceback" not in log
    assert log.splitlines()[-1].startswith(
        "components.pusher.executor.WholeVersionExecutor: The push destination "
        f"s3://{MODELS}/{FOLDER} cannot be used: "
    )
    assert "(AccessDenied) when calling the PutObject operation" in log.splitlines()[-1]


def test_no_half_version_stays(site: Site, first: Run, champion: str) -> None:
    pushed = first.nodes["Pusher"].outputs["pushed_model"].metadata
    versions = site.versions()
    assert set(versions) == {champion, pushed["pushed_version"]}
    assert pushed["pushed"] == 1.0
    address = f"s3://{MODELS}/{FOLDER}/{pushed['pushed_version']}"
    assert pushed["pushed_destination"] == address
    assert sorted(versions[pushed["pushed_version"]]) == [
        "assets.extra/evaluation.json",
        "assets.extra/limits.json",
        "assets.extra/tf_serving_warmup_requests",
        "assets/model_version.txt",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]


def test_the_store_has_each_nodes_files_and_log(site: Site, first: Run) -> None:
    keys = site.store.keys(ARTIFACTS)
    # Marks of folders, which would come back as files.
    assert [key for key in keys if key.endswith("/")] == []
    for name, node in first.nodes.items():
        for key, made in node.outputs.items():
            start = made.uri.removeprefix(f"minio://{ARTIFACTS}/")
            assert made.uri.startswith(f"{first.root}/{name}/")
            found = [path for path in keys if path == start or path.startswith(f"{start}/")]
            # Transform has no analysis to keep.
            assert bool(found) is (key != "updated_analyzer_cache"), (name, key)
    log = site.store.client.get_object(
        Bucket=ARTIFACTS,
        Key=first.nodes["Transform"].outputs["executor-logs"].uri.partition(f"{ARTIFACTS}/")[2],
    )["Body"].read()
    assert b"Runs tfx.components.transform.executor.Executor." in log


def test_pods_write_the_examples_of_a_local_run(
    site: Site, first: Run, finished_run: FinishedRun, tmp_path: Path
) -> None:
    uri = first.nodes["ChestXrayExampleGen"].outputs["examples"].uri
    there = site.fetch(ARTIFACTS, uri.removeprefix(f"minio://{ARTIFACTS}/"), tmp_path)
    here = Path(finished_run.nodes["ChestXrayExampleGen"].output("examples").uri)
    for split in SPLITS:
        expected = read_examples(here, split)
        assert len(expected) >= 18
        assert read_examples(there, split) == expected


def test_the_pushed_model_answers_as_the_run_measured_and_as_a_local_run_s(
    site: Site, first: Run, finished_run: FinishedRun, tmp_path: Path
) -> None:
    text = site.artifact(first, "YoudenEvaluator", "evaluation", "predictions.csv")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["split"] == "test"]
    assert len(rows) == 24
    version = first.nodes["Pusher"].outputs["pushed_model"].metadata["pushed_version"]
    model = site.fetch(MODELS, f"{FOLDER}/{version}", tmp_path / version)
    films = [(finished_run.data / row["file_name"]).read_bytes() for row in rows]
    answer = answers(model, films)
    measured = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(answer["probability"], measured, atol=1e-5)
    assert set(answer["model_version"].numpy().tolist()) == {version.encode()}
    # The same, though training was cut off, and in an image by another release of TensorFlow.
    expected = answers(local_model(finished_run), films)
    np.testing.assert_allclose(answer["probability"], expected["probability"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(answer["threshold"], expected["threshold"], rtol=0, atol=1e-4)


def test_the_champion_is_measured_on_the_same_films(
    site: Site, first: Run, champion: str, finished_run: FinishedRun
) -> None:
    result = json.loads(site.artifact(first, "YoudenEvaluator", "evaluation", "result.json"))
    assert result["champion"]["version"] == champion
    assert result["champion"]["auc"] == pytest.approx(finished_run.metrics["auc"])


def test_a_run_leaves_its_report_beside_the_versions(
    site: Site, first: Run, finished_run: FinishedRun
) -> None:
    pushed = first.nodes["Pusher"].outputs["pushed_model"].metadata
    report = site.report(pushed["pushed_version"])
    assert {"report.html", "metrics.json", "content.json", "quarantine.csv"} <= set(report)
    metrics = json.loads(report["metrics.json"])
    assert metrics["pushed"] is True
    assert metrics["model_path"] == pushed["pushed_destination"]
    assert metrics["auc"] == pytest.approx(finished_run.metrics["auc"])
    assert metrics["counts"] == finished_run.metrics["counts"]
    assert report["metrics.json"].decode() == site.artifact(
        first, "Reporter", "report", "metrics.json"
    )
    # No ML Metadata is within a pod's reach.
    assert metrics["timings"] is metrics["cached"] is metrics["data_fingerprint"] is None
    assert b"The times of the nodes are not known" in report["report.html"]
    assert b"The executions are not known" in report["report.html"]


@pytest.mark.parametrize("on_refusal", ["succeed", "fail"])
def test_a_refused_model_is_not_pushed(
    site: Site, first: Run, champion: str, on_refusal: str
) -> None:
    before = site.versions()
    # Tiny films are told apart without an error, but not changed ones.
    bound = "evaluator.gate.stressed_balanced_accuracy=1.0"
    run = site.cluster.run(
        site.compiled(bound, f"kubeflow.on_refusal={on_refusal}", "kubeflow.retries=1")
    )
    assert run.cached == [name for name in run.nodes if name not in UNCACHED]
    assert len(run.cached) == 6
    result = json.loads(site.artifact(run, "YoudenEvaluator", "evaluation", "result.json"))
    # The trained model is the one that is served: it meets the champion that it met before.
    assert result["champion"]["version"] == champion
    assert site.versions() == before
    assert run.nodes["Pusher"].statuses == [0]
    reporter = run.nodes["Reporter"]
    for node in (run.nodes["Pusher"], reporter):
        # Beside the report's place, on the other stream: a container's come in any order.
        told = node.attempts[-1].log.splitlines()[-2:]
        assert "Nothing is pushed: the gate refused the model." in told
    assert run.succeeded is (on_refusal == "succeed")
    assert reporter.statuses == ([0] if run.succeeded else [3, 3])
    # The report is there though the run fails, under the run's own name.
    report = site.report(run.root.rpartition("/")[2])
    metrics = json.loads(report["metrics.json"])
    assert (metrics["pushed"], metrics["blessed"]) == (False, False)
    assert not metrics["gate"]["stressed_balanced_accuracy"]["passed"]
    assert b"Refused" in report["report.html"]


def test_a_model_is_pushed_to_a_claim(site: Site, first: Run) -> None:
    before = site.versions()
    run = site.cluster.run(site.compiled("kubeflow.push=pvc://models/reader"))
    assert run.succeeded
    assert run.cached == [name for name in run.nodes if name not in UNCACHED]
    pushed = run.nodes["Pusher"].outputs["pushed_model"].metadata
    (version,) = (site.models / "reader" / "pneumonia").iterdir()
    report = site.models / REPORTS / version.name
    assert json.loads((report / "metrics.json").read_text())["pushed_version"] == version.name
    assert (report / "report.html").is_file()
    assert pushed["pushed_version"] == version.name
    assert (version / "saved_model.pb").is_file()
    assert (version / "variables" / "variables.index").is_file()
    assert site.versions() == before


@pytest.mark.parametrize(
    ("settings", "node", "sentence"),
    [
        (
            ["kubeflow.data=pvc://films/elsewhere"],
            "ChestXrayExampleGen",
            "The data folder {claims}/films/elsewhere does not exist or is no folder.",
        ),
        (
            ["kubeflow.endpoint=http://127.0.0.1:9"],
            "YoudenEvaluator",
            "The push destination s3://readers/reader/pneumonia cannot be used: Could not connect "
            'to the endpoint URL: "http://127.0.0.1:9/readers',
        ),
        (
            ["kubeflow.push=s3://nowhere/reader"],
            "YoudenEvaluator",
            "The push destination s3://nowhere/reader/pneumonia cannot be used: An error occurred "
            "(NoSuchBucket) when calling the ListObjectsV2 operation: ",
        ),
        (
            ["kubeflow.secrets=[{name: stale, env: {AWS_ACCESS_KEY_ID: accesskey, "
             "AWS_SECRET_ACCESS_KEY: secretkey}}]"],
            "YoudenEvaluator",
            "The push destination s3://readers/reader/pneumonia cannot be used: An error occurred "
            "(InvalidAccessKeyId) when calling the ListObjectsV2 operation: ",
        ),
        (
            ["kubeflow.secrets=[]"],
            "YoudenEvaluator",
            "The push destination s3://readers/reader/pneumonia cannot be used: Unable to locate "
            "credentials.",
        ),
    ],
    ids=["data", "endpoint", "bucket", "key", "secret"],
)  # fmt: skip
def test_what_cannot_be_reached_is_one_sentence(
    site: Site, first: Run, settings: list[str], node: str, sentence: str
) -> None:
    run = site.cluster.run(site.compiled("kubeflow.retries=0", *settings))
    assert not run.succeeded
    assert list(run.nodes)[-1] == node
    assert run.nodes[node].statuses == [2]
    log = run.nodes[node].attempts[0].log
    assert "Traceback" not in log
    claims = "/claims" if IMAGE else f"{site.work.parent}/pod/claims"
    assert sentence.format(claims=claims) in log.splitlines()[-1]


@pytest.mark.parametrize(
    ("node", "publish_logs", "reason"),
    [
        # The log is an output of a type that TFX does not know.
        ("SchemaGen", True, "system.Artifact"),
        # An input's type is empty.
        ("StatisticsGen", True, "'NoneType' object"),
        # TensorFlow knows no such file system.
        ("SchemaGen", False, "File system scheme 'minio' not implemented"),
    ],
)
def test_tfx_alone_does_not_run_here(
    site: Site, first: Run, node: str, publish_logs: bool, reason: str
) -> None:
    documents = list(yaml.safe_load_all(site.compiled("kubeflow.retries=0")))
    spec = documents[0]
    container = spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]
    container["command"][-1] = STOCK
    tasks = spec["root"]["dag"]["tasks"]
    if not publish_logs:
        # Nothing is in the cache of a cluster without logs.
        spec["root"]["dag"]["tasks"] = {node: tasks[node]}
    run = site.cluster.run(yaml.safe_dump_all(documents), publish_logs=publish_logs)
    assert not run.succeeded
    assert list(run.nodes)[-1] == node
    assert reason in run.nodes[node].attempts[0].log


def test_what_the_server_does_not_take(site: Site) -> None:
    spec, platform = yaml.safe_load_all(site.compiled())
    driver.check(spec, platform)
    with pytest.raises(driver.RefusedError, match=r"^schema version 2\.0\.0 is not supported$"):
        driver.check({**spec, "schemaVersion": "2.0.0"}, platform)
    spec["deploymentSpec"]["executors"]["Resolver_executor"] = {"resolver": {}}
    with pytest.raises(driver.RefusedError, match=r"^Resolver_executor: resolver executors"):
        driver.check(spec, platform)


def test_a_mark_of_a_folder_is_in_the_way_of_its_files(store: Store, tmp_path: Path) -> None:
    store.put("models", {"a/model/variables/": b"", "a/model/variables/index": b"index"})
    told = {
        "inputs": {"artifacts": {"model": {"artifacts": [{"uri": "s3://models/a/model"}]}}},
        "outputs": {"artifacts": {}},
    }
    with pytest.raises(OSError, match="variables"):
        Launcher(store, tmp_path).prepare(told)
