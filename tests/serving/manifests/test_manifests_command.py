"""`cxr kubeflow serving`, the command."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.shared.files import replace_all
from components.shared.run_folder import RunFolder
from pipeline.cli import main
from support.pushed_run import make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", "pneumonia", "9", "10")


def serving(run: Path, output: Path, *options: str) -> int:
    return main(["kubeflow", "serving", str(run), "--output", str(output), *options])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_complete_versions_in_the_order_of_their_numbers(run: Path) -> None:
    models = run / "serving_model" / "pneumonia"
    (models / "11").mkdir()
    for name in ("old", ".12"):
        (models / name).mkdir()
        (models / name / "saved_model.pb").touch()
    assert RunFolder(run).versions("pneumonia") == ["9", "10"]
    assert RunFolder(run).versions("other") == []


def test_it_says_what_is_served(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert serving(run, tmp_path / "out") == 0
    assert capfd.readouterr().out == f"{tmp_path / 'out'}\nstable: 10\n"
    assert serving(run, tmp_path / "out", "--canary", "10") == 0
    assert capfd.readouterr().out == f"{tmp_path / 'out'}\nstable: 9, canary: 10\n"


def test_it_says_what_a_running_server_refuses(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    serving(run, tmp_path / "out")
    make_run(run, "pneumonia", "12")
    assert "refuses" not in capfd.readouterr().out
    serving(run, tmp_path / "out")
    told = capfd.readouterr().out.splitlines()
    assert told[1] == "stable: 12"
    assert "it moves stable only to a version that it has loaded, and 12 is not" in told[2]
    # It has been told; the files are as asked for.
    assert 'key: "stable"\n      value: 12' in (tmp_path / "out/config/models.config").read_text()


def test_the_same_again_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    serving(run, tmp_path / "out", "--namespace", "chest")
    before = contents(tmp_path / "out")
    serving(run, tmp_path / "out", "--namespace", "chest")
    assert contents(tmp_path / "out") == before
    assert len(before) == 13


def test_a_file_that_is_no_longer_rendered_goes_and_a_strange_one_stays(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    serving(run, out)
    (out / "kubernetes" / "ingress.yaml").write_text("mine")
    serving(run, out, "--storage", "gs://films")
    assert [path.name for path in (out / "kubernetes").iterdir()] == ["ingress.yaml"]
    assert not (out / "persistentvolumeclaim.yaml").exists()
    model = yaml.safe_load((out / "kserve/inferenceservice.yaml").read_text())["spec"]["predictor"]
    assert model["model"]["storageUri"] == "gs://films"


@pytest.mark.parametrize("path", ["compose.yaml", "config/models.config", "kserve/configmap.yaml"])
def test_a_file_of_another_is_not_overwritten(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], path: str
) -> None:
    foreign = tmp_path / "out" / path
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"\xff mine")
    assert serving(run, tmp_path / "out") == 2
    assert f"cxr: {foreign} is in the way" in capfd.readouterr().err
    assert contents(tmp_path / "out") == {str(foreign): b"\xff mine"}


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("before")
    (tmp_path / "second.part").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_all({first: "after", second: "after"})
    assert first.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second.part"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--canary", "8"), "--canary 8 is no version that was pushed: there is 9, 10."),
        (("--namespace", "My_ns"), "--namespace My_ns is not of lower-case letters"),
        (("--storage", "/mnt/models"), "--storage /mnt/models is neither pvc://CLAIM"),
        (("--storage", "pvc://films/../etc"), "--storage pvc://films/../etc is neither"),
        (("--storage", "pvc:///films"), "--storage pvc:///films is neither"),
        (("--storage", "https://films"), "--storage https://films is neither"),
        (("--storage", ""), "--storage  is neither"),
    ],
)
def test_bad_settings(
    run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    sentence: str,
) -> None:
    assert serving(run, tmp_path / "out", *options) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert sentence in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["chest_xray", "2nd", "a" * 41, "chest-"])
def test_a_name_that_no_service_can_have(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    run = make_run(tmp_path / "run", name, "1")
    assert serving(run, tmp_path / "out") == 2
    assert f"The model {name} cannot be served in a cluster" in capfd.readouterr().err


def test_a_run_that_is_none_or_has_pushed_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert serving(tmp_path, tmp_path / "out") == 2
    assert f"{tmp_path} is no run folder" in capfd.readouterr().err
    run = make_run(tmp_path / "run", "pneumonia")
    assert serving(run, tmp_path / "out") == 2
    assert f"The run in {run} has pushed no model" in capfd.readouterr().err


def test_an_output_that_cannot_be_written(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert serving(run, tmp_path / "file" / "out") == 2
    error = capfd.readouterr().err
    assert error == f"cxr: {tmp_path}/file/out cannot be written: Not a directory.\n"


def test_it_needs_neither_tfx_nor_tensorflow(run: Path, tmp_path: Path) -> None:
    arguments = ["kubeflow", "serving", str(run), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline.cli", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    for slow in ("tensorflow", "tfx", "apache_beam"):
        assert f" {slow}\n" not in done.stderr
