import importlib.metadata
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from conftest import MakeData

from components.reporter.store import save
from components.shared.errors import InputError
from components.shared.run_folder import RunFolder, locked
from pipeline.cli import cxr, main
from support.report_content import content

LAYOUT = {
    "train": {"NORMAL": 4, "PNEUMONIA": 4},
    "test": {"NORMAL": 2, "PNEUMONIA": 2},
}


def fails(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs a command that must end with exit status 2; returns its one sentence."""
    assert main([str(argument) for argument in arguments]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("cxr: ")
    return lines[0]


def commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    """Yields the words of each command, the groups' too."""
    yield before
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name)


@pytest.mark.parametrize("words", commands(cxr), ids=" ".join)
def test_help_is_quick_and_imports_nothing_slow(words: tuple[str, ...]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline.cli", *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor, which others may keep busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
    assert done.stdout.startswith(f"Usage: {' '.join(('cxr', *words))} ")
    assert "tensorflow" not in done.stderr
    assert "pydantic" not in done.stderr


def test_help_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "not a medical device" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Usage: cxr "),
        (["kubeflow"], "Usage: cxr kubeflow "),
        (["rum"], "No such command 'rum'"),
        (["run", "--outputs", "x"], "No such option '--outputs'"),
        (["report"], "Missing argument 'RUN...'"),
        (["serve", "--model", "m", "--backend", "other"], "'other' is not one of 'auto'"),
        (["predict", "film", "--concurrency", "many"], "'many' is not a valid integer"),
        (
            ["predict", "film", "--server", "http://127.0.0.1:1", "--model", "m"],
            "--server and --model are not allowed together",
        ),
    ],
)
def test_bad_usage(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_an_interrupted_command_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("components.reporter.store.load", interrupted)
    assert main(["report", "run"]) == 1
    assert capsys.readouterr().err == "cxr: interrupted; run again to go on from here.\n"


def test_missing_arguments(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "--data is missing" in fails(capfd, "run", "--output", tmp_path)
    assert main(["run"]) == 2
    assert "Missing option '--output'" in capfd.readouterr().err


def test_missing_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    sentence = fails(capfd, "run", "--data", tmp_path / "gone", "--output", out)
    assert f"The data folder {tmp_path / 'gone'} does not exist" in sentence
    assert not out.exists()


def test_a_file_that_is_no_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "films.xlsx").touch()
    out = tmp_path / "out"
    sentence = fails(capfd, "run", "--data", tmp_path / "films.xlsx", "--output", out)
    assert "films.xlsx does not exist or is no folder, and no table (.csv, .csv.gz," in sentence
    assert not out.exists()


def test_a_table_without_a_column(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "films.csv"
    table.write_text("file,label\na.png,1\n")
    sentence = fails(capfd, "run", "--data", table, "--output", tmp_path / "out")
    assert "no column 'path', which example_gen.table.path names; there are file" in sentence
    assert not (tmp_path / "out" / "metadata.sqlite").exists()


def test_one_class_only(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_data({"train": {"NORMAL": 4}, "test": {"NORMAL": 2}})
    sentence = fails(capfd, "run", "--data", data, "--output", tmp_path / "out")
    assert f"{data}/train has no folder 'PNEUMONIA'" in sentence


def test_empty_class(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_data({**LAYOUT, "test": {"NORMAL": 0, "PNEUMONIA": 2}})
    sentence = fails(capfd, "run", "--data", data, "--output", tmp_path / "out")
    assert f"The folder {data}/test/NORMAL holds no images" in sentence


@pytest.mark.parametrize("name", ["run [v1]", "run*", "what?"])
def test_an_output_folder_that_beam_takes_for_a_pattern(
    name: str, make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sentence = fails(capfd, "run", "--data", make_data(LAYOUT), "--output", tmp_path / name)
    assert f"{name} cannot be used: Beam takes a path with any of *?[] for a pattern" in sentence
    assert not (tmp_path / name).exists()


def test_a_film_whose_name_is_no_text(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_data(LAYOUT)
    Path(os.fsdecode(os.fsencode(data) + b"/train/NORMAL/r\xf6ntgen.jpeg")).touch()
    sentence = fails(capfd, "run", "--data", data, "--output", tmp_path / "out")
    assert f"The folder {data}/train/NORMAL holds r\\xf6ntgen.jpeg, whose name is not" in sentence


def test_unwritable_output(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    sentence = fails(capfd, "run", "--data", make_data(LAYOUT), "--output", out)
    assert f"The output folder {out} cannot be written" in sentence


def test_unknown_setting(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("run", "--data", make_data(LAYOUT), "--output", out, "--set", "trainer.eopchs=3")
    assert "trainer.eopchs is unknown (did you mean epochs?" in fails(capfd, *arguments)
    assert not out.exists()


def test_truncated_backbone(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backbone = tmp_path / "net.keras"
    backbone.write_bytes(b"PK\x03\x04 and no more")
    arguments = ("run", "--data", make_data(LAYOUT), "--output", tmp_path / "out")
    sentence = fails(capfd, *arguments, "--set", f"trainer.backbone={backbone}")
    assert f"trainer.backbone: {backbone} is no complete .keras file" in sentence


def test_too_many_bad_files_are_listed_though_the_run_stops(
    make_data: MakeData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_data(LAYOUT)
    for film in (data / "train" / "NORMAL").iterdir():
        film.write_bytes(b"no film")
    out = tmp_path / "out"
    sentence = fails(
        capfd, "run", "--data", data, "--output", out, "--set", "trainer.backbone=none"
    )
    assert "4 of 12 files were put aside" in sentence
    listed = (out / "report" / "quarantine.csv").read_text().splitlines()
    assert len(listed) == 5
    assert not (out / "serving_model").exists()


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out")
    second = locked(folder)
    with locked(folder), pytest.raises(InputError, match="Another run is using the output"):
        second.__enter__()
    with locked(folder):
        pass


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the folder of a run that has ended."""

    def make(name: str) -> Path:
        folder = RunFolder(tmp_path / name)
        folder.report.mkdir(parents=True)
        save(folder.report, content())
        return folder.root

    return make


def test_report_is_written_again(
    make_run: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run("run")
    page = run / "report" / "report.html"
    before = page.read_bytes()
    page.write_text("stale")
    assert main(["report", str(run)]) == 0
    assert capfd.readouterr().out == f"{page}\n"
    assert page.read_bytes() == before


def test_report_of_several_runs_sets_them_side_by_side(
    make_run: Callable[[str], Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [str(make_run("first")), str(make_run("second"))]
    assert main(["report", *runs, "--output", str(tmp_path / "page.html")]) == 0
    assert capfd.readouterr().out == f"{tmp_path / 'page.html'}\n"
    page = (tmp_path / "page.html").read_text()
    assert "2 runs side by side" in page
    monkeypatch.chdir(tmp_path)
    assert main(["report", *runs]) == 0
    assert (tmp_path / "comparison.html").read_text() == page


def test_report_needs_neither_tfx_nor_tensorflow(make_run: Callable[[str], Path]) -> None:
    runs = [str(make_run("first")), str(make_run("second"))]
    for arguments in (runs[:1], [*runs, "--output", f"{runs[0]}/page.html"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "pipeline.cli", "report", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        for slow in ("tensorflow", "tfx", "apache_beam", "sklearn", "pandas", "ml_metadata"):
            assert f" {slow}\n" not in done.stderr


def test_report_of_no_run(
    make_run: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    assert f"The run folder {gone} does not exist" in fails(capfd, "report", gone)
    assert not gone.exists()
    file = tmp_path / "file"
    file.touch()
    assert f"The run folder {file} does not exist or is no" in fails(capfd, "report", file)
    assert f"{tmp_path} is no run folder" in fails(capfd, "report", make_run("run"), tmp_path)


def test_report_of_a_run_that_has_not_finished(
    make_run: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run("run")
    with locked(RunFolder(run)):
        assert "Another run is using the output" in fails(capfd, "report", run)
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "run.log").touch()
    assert f"The run in {begun} has not finished" in fails(capfd, "report", begun)
    (begun / "report").mkdir()
    (begun / "report" / "metrics.json").write_text("{}")
    assert f"The run in {begun} left no content.json" in fails(capfd, "report", begun)


def test_report_with_arguments_that_make_no_sense(
    make_run: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, page = make_run("run"), tmp_path / "page.html"
    assert "is given twice" in fails(capfd, "report", run, run)
    assert "is for several runs" in fails(capfd, "report", run, "--output", page)
    assert not page.exists()
    nowhere = tmp_path / "gone" / "page.html"
    sentence = fails(capfd, "report", run, make_run("other"), "--output", nowhere)
    assert f"{nowhere} cannot be written: No such file or directory." in sentence


def test_the_kubeflow_folder_hides_no_package_of_that_name(tmp_path: Path) -> None:
    package = tmp_path / "kubeflow"
    package.mkdir()
    (package / "__init__.py").write_text("WHOSE = 'the SDK'")
    code = f"import sys; sys.path.append({str(tmp_path)!r}); import kubeflow; print(kubeflow.WHOSE)"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "the SDK"


def test_the_distribution_installs_no_package_of_that_name() -> None:
    distribution = importlib.metadata.distribution("cxr-pneumonia-pipeline")
    top_level = distribution.read_text("top_level.txt")
    assert top_level is not None
    assert sorted(top_level.split()) == ["components", "pipeline", "serving"]


def test_metrics_are_strict_json(tmp_path: Path) -> None:
    from components.reporter.store import without_nan

    content = without_nan({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": (2, "x")}})
    assert json.loads(json.dumps(content, allow_nan=False)) == {
        "a": None,
        "b": [1.0, None],
        "c": {"d": [2, "x"]},
    }
