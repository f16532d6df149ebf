import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from components.shared import code_version as module
from components.shared.code_version import cache_key, code_version


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
    clean = cache_key()
    assert clean == f"{version('cxr-pneumonia-pipeline')} {commit_of(checkout)}"
    checkout.write_text("x = 2\n")
    assert code_version()["commit"] == f"{commit_of(checkout)}-dirty"
    # A result outlives an edit that is not committed.
    assert cache_key() == clean


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
