"""Submitting, to a server on this machine that answers as Kubeflow's does."""

import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.cli import main
from pipeline.cli.kubeflow.schedule import check_cron

GOLDEN = Path(__file__).parent / "golden" / "pipeline.yaml"
API = "/apis/v2beta1"


class Kubeflow(ThreadingHTTPServer):
    """Keeps what was posted; `refuses` is what it answers to a run."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted: dict[str, Any] = {}
        self.refuses: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Kubeflow

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == f"{API}/pipelines/p1/versions":
            self._answer({"pipeline_versions": [{"pipeline_version_id": "v2"}]})
        elif path == f"{API}/pipelines" and "known" in self.path:
            self._answer({"pipelines": [{"pipeline_id": "p1", "display_name": "known"}]})
        else:
            self._answer({"multi_user": False})

    def do_POST(self) -> None:
        name = urlsplit(self.path).path.removeprefix(f"{API}/")
        self.server.posted[name] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if name == "runs" and self.server.refuses:
            self._answer({"message": self.server.refuses}, 400)
            return
        made = {
            "experiments": {"experiment_id": "e1"},
            "runs": {"run_id": "r1"},
            "recurringruns": {"recurring_run_id": "rr1"},
        }
        self._answer(made[name])

    def _answer(self, content: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubeflow]:
    # The client keeps its context there.
    monkeypatch.setenv("HOME", str(tmp_path))
    with Kubeflow() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_run(server: Kubeflow, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--host", server.url, "--experiment", "nights", "--name", "first"]
    assert main(["kubeflow", "submit", str(GOLDEN), *options]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "r1"
    assert server.posted["experiments"]["display_name"] == "nights"
    run = server.posted["runs"]
    assert (run["display_name"], run["experiment_id"]) == ("first", "e1")
    # Both documents travel.
    assert run["pipeline_spec"]["pipeline_spec"]["schemaVersion"] == "2.1.0"
    executors = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
    assert "Pusher_executor" in executors["deploymentSpec"]["executors"]


def test_a_recurring_run_of_a_pipeline_that_the_server_has(
    server: Kubeflow, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--host", server.url, "--name", "weekly", "--cron", "0 0 3 * * 1"]
    assert main(["kubeflow", "schedule", "known", *options]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "rr1"
    run = server.posted["recurringruns"]
    assert run["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    assert run["pipeline_version_reference"] == {"pipeline_id": "p1", "pipeline_version_id": "v2"}
    assert (run["display_name"], run["no_catchup"]) == ("weekly", True)
    assert int(run["max_concurrency"]) == 1


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("0 3 * * 1", "has 5 fields; Kubeflow takes six, seconds first"),
        ("whenever", "has 1 fields"),
        ("60 0 3 * * 1", "'60' is no second"),
        ("0 0 24 * * 1", "'24' is no hour"),
        ("0 0 3 0 * 1", "'0' is no day"),
        ("0 0 3 * 13 1", "'13' is no month"),
        ("0 0 3 * * 7", "'7' is no day of the week"),
        ("0 0 three * * 1", "'three' is no hour"),
        ("0 0 3,x-y * * 1", "'3,x-y' is no hour"),
        ("0 0 */0 * * 1", "'.*/0' is no hour"),
        ("@noon", "has 1 fields"),
    ],
)
def test_times_that_kubeflow_would_take_for_others(
    cron: str, reason: str, server: Kubeflow, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--host", server.url, "--name", "weekly", "--cron", cron]
    assert main(["kubeflow", "schedule", "known", *options]) == 2
    assert re.search(reason, capfd.readouterr().err.splitlines()[-1])
    assert "recurringruns" not in server.posted


@pytest.mark.parametrize(
    "cron",
    ["0 */15 8-18 ? JAN-MAR MON,FRI", "0 0 3 1,15 * *", "59 59 23 31 12 6", "@daily", "@every 12h"],
)
def test_times_that_kubeflow_knows(cron: str) -> None:
    check_cron(cron)


def test_an_unknown_pipeline(server: Kubeflow, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeflow", "submit", "other", "--host", server.url]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == f"cxr: The server {server.url} knows no pipeline named other."


def test_a_file_that_is_not_there(server: Kubeflow, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeflow", "submit", "no.yaml", "--host", server.url]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == "cxr: The pipeline no.yaml is no file: make it with `cxr kubeflow compile`."


def test_what_the_server_refuses(server: Kubeflow, capfd: pytest.CaptureFixture[str]) -> None:
    server.refuses = "no such volume"
    assert main(["kubeflow", "submit", str(GOLDEN), "--host", server.url]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == f"cxr: The server {server.url} refuses: 400 no such volume."


def test_nobody_listens(server: Kubeflow, capfd: pytest.CaptureFixture[str]) -> None:
    server.server_close()
    assert main(["kubeflow", "submit", str(GOLDEN), "--host", server.url]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == (
        f"cxr: The server {server.url} cannot be reached: Connection refused. Give the URL of "
        "Kubeflow Pipelines as --host."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "--output", "pipeline.yaml"],
        ["submit", "pipeline.yaml", "--host", "http://localhost"],
        ["schedule", "pipeline.yaml", "--host", "http://localhost", "--cron", "0 0 3 * * 1"],
    ],
)
def test_what_is_missing_without_the_extra_is_one_sentence(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ["kfp", *(name for name in sys.modules if name.startswith("kfp."))]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("pipeline.runners.kubeflow.compile", "pipeline.runners.kubeflow.submit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert main(["kubeflow", *arguments]) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"cxr: The package kfp(\.\w+)? is not installed, which `cxr kubeflow` needs: install the "
        r"project with its extra kubeflow\.\n",
        told,
    )
