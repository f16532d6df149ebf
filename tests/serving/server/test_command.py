"""`cxr serve`: what it starts, what it refuses, and what a kill leaves."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from pipeline.cli import main
from serving.server import application, backends
from support.served_model import png

MODEL = "pneumonia"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXR_TOKEN", raising=False)
    return folder


def put(folder: Path, name: str, script: str) -> None:
    """Writes a program that tells its arguments, one a line, after what the script does."""
    path = folder / name
    path.write_text(f'#!/bin/sh\n{script}\nfor word in "$0" "$@"; do echo "$word"; done\n')
    path.chmod(0o755)


def serve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--model", str(folder)]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "pushed, all" / MODEL
    folder.mkdir(parents=True)
    return folder


def test_tensorflow_serving_takes_over_where_it_is(programs: Path, model: Path) -> None:
    put(programs, "tensorflow_model_server", "")
    put(programs, "docker", "")
    done = serve(model, "--port", "9", "--grpc-port", "10")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-5:] == [
        str(programs / "tensorflow_model_server"),
        "--rest_api_port=9",
        "--port=10",
        "--model_name=pneumonia",
        f"--model_base_path={model}",
    ]
    assert "listens on every interface" in done.stdout
    assert "--backend embedded serves one at /" in done.stdout


def test_its_image_takes_over_where_an_engine_answers(programs: Path, model: Path) -> None:
    put(programs, "docker", "")
    done = serve(model, "--port", "9")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-8:] == [
        str(programs / "docker"),
        "run",
        "--rm",
        "--publish=127.0.0.1:9:8501",
        "--publish=127.0.0.1:8500:8500",
        f'--mount=type=bind,"source={model}","target=/models/pneumonia",readonly',
        "--env=MODEL_NAME=pneumonia",
        "tensorflow/serving:2.16.1",
    ]


@pytest.mark.parametrize(
    ("there", "wanted", "only_embedded", "chosen"),
    [
        ([], "auto", False, "embedded"),
        (["docker"], "auto", False, "docker"),
        (["tensorflow_model_server", "docker"], "auto", False, "tf-serving"),
        (["tensorflow_model_server", "docker"], "docker", False, "docker"),
        (["tensorflow_model_server", "docker"], "auto", True, "embedded"),
        (["tensorflow_model_server", "docker"], "embedded", False, "embedded"),
    ],
)
def test_the_choice(
    programs: Path, there: list[str], wanted: str, only_embedded: bool, chosen: str
) -> None:
    for name in there:
        put(programs, name, "")
    assert backends.choose(wanted, only_embedded) == chosen


def test_a_client_of_docker_without_an_engine_is_none(programs: Path) -> None:
    put(programs, "docker", "exit 1")
    assert backends.choose("auto", False) == "embedded"


@pytest.mark.parametrize(
    ("arguments", "token", "reason"),
    [
        (["--model", "nowhere"], None, "--model nowhere does not exist"),
        (["--model", "file"], None, "--model file does not exist or is no folder"),
        (["--model", "models/pneumonia/1"], None, "is one version: give the folder"),
        (["--port", "70000"], None, "--port is 70000: it should be 0 to 65535"),
        (["--grpc-port", "-1"], None, "--grpc-port is -1"),
        (["--host", "0.0.0.0"], None, "--host 0.0.0.0 can be reached by others: give a token"),
        (["--host", "::"], "", "--host :: can be reached by others"),
        (["--host", "0.0.0.0"], "two words", "CXR_TOKEN holds what no HTTP header can bear"),
        (["--backend", "tf-serving"], None, "there is no tensorflow_model_server on the PATH"),
        (["--backend", "docker"], None, "no Docker engine answers"),
        (["--backend", "docker"], "secret", "TensorFlow Serving asks for no token"),
        (["--backend", "tf-serving", "--host", "0.0.0.0"], "secret", "asks for no token"),
    ],
)
def test_bad_input_is_one_sentence(
    programs: Path,
    arguments: list[str],
    token: str | None,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    version = Path("models", MODEL, "1")
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    Path("file").write_bytes(b"")
    if token is not None:
        monkeypatch.setenv("CXR_TOKEN", token)
    model = [] if "--model" in arguments else ["--model", f"models/{MODEL}"]
    assert main(["serve", *model, *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert "secret" not in error


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_that_is_taken(
    programs: Path, model: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "--grpc-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--model", str(model), option, port, other, "0"]) == 2
    assert f"cxr: {option} {port} cannot be used on 127.0.0.1" in capsys.readouterr().err


def test_an_answer_is_sent_without_delay() -> None:
    """asyncio sets TCP_NODELAY on sockets that name their protocol, and only on those."""
    with (
        application._listen(backends.Address("127.0.0.1", 0, 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.proto == socket.IPPROTO_TCP


# `cxr serve`, and at its end the names of what it has imported.
CODE = """
import sys
from pipeline.cli import main
status = main(["serve", *sys.argv[1:]])
print("imported:", *{name.split(".")[0] for name in sys.modules})
sys.exit(status)
"""


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts `cxr serve` in a process of its own; gives it and its address once it is ready."""
    command = [sys.executable, "-c", CODE, "--model", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--grpc-port", "0", "--backend", "embedded"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.match("Page and REST: (.*)", line):
                url = found[1]
            if re.match("Version .* is served", line):
                break
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_killed_and_started_again_it_answers_the_same_and_has_no_tfx(served_folder: Path) -> None:
    with started(served_folder) as (process, url):
        before = requests.post(f"{url}/readings", png(51), timeout=60).json()
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    with started(served_folder) as (process, url):
        assert requests.post(f"{url}/readings", png(51), timeout=60).json() == before
        process.terminate()
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(60) == 0
    assert before["label"] == "NORMAL"
    imported = set(said.split("imported:")[1].split())
    assert "tensorflow" in imported
    assert not imported & {"tfx", "tfx_bsl", "apache_beam", "tensorflow_transform"}
    assert "Traceback" not in said
