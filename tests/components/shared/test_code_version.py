import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from components.shared import code_version as module
from components.shared.code_version import code_key, code_version


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose only commit holds the file that asks."""
    file = tmp_path / "pipeline" / "version.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "First")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(module, "__file__", str(file))
    monkeypatch.delenv("CXR_REVISION", raising=False)
    return file


def commit_of(file: Path) -> str:
    command = ["git", "-C", str(file.parent), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_commit_of_the_checkout_that_holds_the_code(checkout: Path) -> None:
    expected = {"package": version("cxr-pneumonia-pipeline"), "commit": commit_of(checkout)}
    assert code_version() == expected


def test_changed_code_is_called_dirty(checkout: Path) -> None:
    checkout.write_text("x = 2\n")
    assert code_version()["commit"] == f"{commit_of(checkout)}-dirty"


def test_checkout_of_something_else_is_not_the_code_s(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = checkout.parent.parent / ".venv" / "version.py"
    installed.parent.mkdir()
    installed.touch()
    monkeypatch.setattr(module, "__file__", str(installed))
    assert "commit" not in code_version()


def test_no_git_fails_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_version() == {"package": version("cxr-pneumonia-pipeline")}


def test_an_image_tells_where_no_checkout_does(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_REVISION", "0123abc")
    assert code_version()["commit"] == commit_of(checkout)
    monkeypatch.setenv("PATH", "")
    assert code_version()["commit"] == "0123abc"


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two rooms and what stands below them."""
    for name in ("shared/code_version.py", "trainer/net.py", "pusher/executor.py"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("x = 1\n")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "shared" / "code_version.py"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("trainer/net.py", {"trainer"}),
        ("trainer/deep/er.py", {"trainer"}),
        ("trainer/schema.pbtxt", {"trainer"}),
        ("pusher/executor.py", {"pusher"}),
        ("shared/code_version.py", {"trainer", "pusher"}),
        ("films/reader.py", {"trainer", "pusher"}),
        ("trainer/__pycache__/net.cpython-310.pyc", set()),
        ("trainer/notes.txt", set()),
    ],
)
def test_results_belong_to_the_code_of_their_room(rooms: Path, name: str, others: set[str]) -> None:
    before = {room: code_key(room) for room in ("trainer", "pusher")}
    assert before["trainer"] != before["pusher"]
    assert code_key("trainer") == before["trainer"]
    path = rooms / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 2\n")
    assert {room for room, key in before.items() if code_key(room) != key} == others


def test_results_belong_to_the_version_of_the_package(
    rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_key("trainer")
    monkeypatch.setattr(module, "version", lambda _: "9.9")
    assert code_key("trainer") != before
