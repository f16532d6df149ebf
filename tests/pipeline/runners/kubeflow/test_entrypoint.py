"""Nodes run as a pod runs them: the compiled arguments, files where the launcher has them."""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from components.shared.digest import folder_digest
from components.shared.errors import InputError
from pipeline.runners.kubeflow import entrypoint
from support import pod
from support.object_store import Store
from support.ports import free_ports
from support.run_artifacts import write_artifacts

ROOT = Path(__file__).parents[4]
STORE = "s3://artifacts/run"


def test_a_node_writes_where_the_launcher_looks(tmp_path: Path) -> None:
    told = pod.executor_input("SchemaGen", tmp_path, "gs://artifacts/run")
    assert entrypoint.main(pod.arguments("SchemaGen", told), str(tmp_path)) == 0
    made = pod.output(told)["artifacts"]
    # The log that Kubeflow adds is no artifact of the node.
    assert list(made) == ["schema"]
    assert made["schema"]["artifacts"][0]["uri"] == "gs://artifacts/run/SchemaGen/schema"
    # A marker of a folder would come back as a file that is in the folder's way.
    bucket = tmp_path / "gcs" / "artifacts"
    written = [path.relative_to(bucket) for path in bucket.rglob("*") if path.is_file()]
    assert written == [Path("run/SchemaGen/schema/schema.pbtxt")]
    schema = files("components.example_validator") / "schema.pbtxt"
    assert (bucket / written[0]).read_bytes() == schema.read_bytes()


def test_bad_input_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = pod.executor_input("ChestXrayExampleGen", tmp_path, STORE, data=str(tmp_path / "none"))
    assert entrypoint.main(pod.arguments("ChestXrayExampleGen", told), str(tmp_path)) == 2
    told_person = capfd.readouterr().err
    assert "Traceback" not in told_person
    last = told_person.splitlines()[-1]
    assert last.startswith("components.example_gen.executor.Executor: ")
    assert str(tmp_path / "none") in last


def test_a_job_service_must_be_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    told = pod.executor_input("ChestXrayExampleGen", tmp_path, STORE)
    arguments = [*pod.arguments("ChestXrayExampleGen", told), f"--job_endpoint=127.0.0.1:{port}"]
    assert entrypoint.main(arguments, str(tmp_path)) == 2
    assert f"beam.endpoint is '127.0.0.1:{port}'" in capfd.readouterr().err.splitlines()[-1]


def test_anything_else_is_told_in_full_and_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = pod.executor_input("SchemaGen", tmp_path, STORE, schema_file=str(tmp_path / "none"))
    assert entrypoint.main(pod.arguments("SchemaGen", told), str(tmp_path)) == 1
    told_person = capfd.readouterr().err
    assert "Traceback" in told_person
    last = told_person.splitlines()[-1]
    assert last.startswith("components.example_validator.executor.SchemaExecutor failed: ")


def push(folder: Path, blessed: float = 1.0) -> tuple[int, pod.Message]:
    """Runs Pusher on a model of two files; returns its exit status and its answer."""
    model = folder / "s3" / "artifacts" / "run" / "ServingCheck" / "stamped_model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    inputs = {
        "model_blessing": pod.artifact(f"{STORE}/blessing", blessed=blessed),
        "infra_blessing": pod.artifact(
            f"{STORE}/ServingCheck",
            blessed=1.0,
            has_model=1.0,
            model_digest=folder_digest(str(model)),
        ),
    }
    told = pod.executor_input("Pusher", folder, STORE, inputs)
    status = entrypoint.main(pod.arguments("Pusher", told), str(folder))
    return status, pod.output(told)["artifacts"]["pushed_model"]["artifacts"][0]


def test_a_blessed_model_is_a_new_version_in_the_bucket(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {"pneumonia-reader/pneumonia/9/saved_model.pb": b"before"}
    store.put("models", before)
    status, pushed = push(tmp_path)
    assert status == 0
    version = pushed["metadata"]["pushed_version"]
    address = f"s3://models/pneumonia-reader/pneumonia/{version}"
    assert pushed["metadata"]["pushed_destination"] == address
    assert f"Pushed {address}.\n" in capfd.readouterr().out
    start = f"pneumonia-reader/pneumonia/{version}"
    assert store.objects("models") == {
        **before,
        f"{start}/saved_model.pb": b"graph",
        f"{start}/variables/variables.index": b"index",
    }


def test_a_version_in_the_bucket_is_above_half_a_one(store: Store, tmp_path: Path) -> None:
    store.put("models", {"pneumonia-reader/pneumonia/9000000000/variables/variables.index": b""})
    status, pushed = push(tmp_path)
    assert status == 0
    assert pushed["metadata"]["pushed_version"] == "9000000001"
    assert "pneumonia-reader/pneumonia/9000000001/saved_model.pb" in store.objects("models")


def test_a_refused_model_is_not_pushed(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, pushed = push(tmp_path, blessed=0.0)
    # The report is still to come.
    assert status == 0
    assert pushed["metadata"]["pushed"] == 0
    assert capfd.readouterr().err.splitlines()[-1] == (
        "Nothing is pushed: the gate refused the model."
    )
    assert store.objects("models") == {}


@pytest.mark.parametrize(("on_refusal", "expected"), [("succeed", 0), ("fail", 3)])
def test_a_refused_model_s_report_is_in_the_bucket_however_the_run_ends(
    store: Store,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    on_refusal: str,
    expected: int,
) -> None:
    write_artifacts(tmp_path / "s3" / "artifacts" / "run")
    inputs = {
        key: pod.artifact(f"{STORE}/{key}")
        for key in ("examples", "model_run", "evaluation", "infra_blessing")
    }
    inputs["model_blessing"] = pod.artifact(f"{STORE}/blessing", blessed=0.0)
    inputs["pushed_model"] = pod.artifact(f"{STORE}/pushed", pushed=0.0)
    told = pod.executor_input("Reporter", tmp_path, STORE, inputs)
    arguments = pod.arguments("Reporter", told)
    arguments[arguments.index("--on_refusal") + 1] = on_refusal
    assert entrypoint.main(arguments, str(tmp_path)) == expected
    said = capfd.readouterr()
    assert said.err.splitlines()[-1] == "Nothing is pushed: the gate refused the model."
    place = "pneumonia-reader/pneumonia-reports/run"
    assert f"Report: s3://models/{place}/report.html\n" in said.out
    left = store.objects("models")
    assert set(left) == {
        f"{place}/{name}"
        for name in ("report.html", "metrics.json", "content.json", "quarantine.csv")
    }
    assert json.loads(left[f"{place}/metrics.json"])["pushed"] is False


def test_a_report_that_cannot_be_left_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = f"{tmp_path}/file/pneumonia-reports/7"
    with pytest.raises(InputError) as caught:
        entrypoint._leave(tmp_path, place)
    assert str(caught.value) == f"The report cannot be written to {place}: Not a directory."


def test_an_abort_at_the_end_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "aborting.py").write_text(
        "import atexit, os\n"
        "from components.example_validator.executor import SchemaExecutor\n"
        "class Executor(SchemaExecutor):\n"
        "    def Do(self, *arguments):\n"
        "        super().Do(*arguments)\n"
        "        atexit.register(os.abort)\n"
    )
    # Without a root of its own a pod has the files of an address that is none at this path.
    told = pod.executor_input("SchemaGen", tmp_path, str(tmp_path / "out"))
    arguments = pod.arguments("SchemaGen", told)
    arguments[arguments.index("--executor_class_path") + 1] = "aborting.Executor"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.runners.kubeflow.entrypoint", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Runs aborting.Executor.", "aborting.Executor is done."]
    assert (tmp_path / "out" / "SchemaGen" / "schema" / "schema.pbtxt").is_file()


def test_the_evaluator_has_the_served_version_here(store: Store, tmp_path: Path) -> None:
    served = {"saved_model.pb": b"graph", "variables/variables.index": b"index"}
    start = "pneumonia-reader/pneumonia/9"
    store.put("models", {f"{start}/{path}": content for path, content in served.items()})
    inputs = {key: pod.artifact(f"{STORE}/{key}") for key in ("examples", "model")}
    told = pod.executor_input("YoudenEvaluator", tmp_path, STORE, inputs)
    # Then it fails, for want of films.
    assert entrypoint.main(pod.arguments("YoudenEvaluator", told), str(tmp_path)) == 1
    folder = tmp_path / "s3" / "models" / start
    assert {path: (folder / path).read_bytes() for path in served} == served
