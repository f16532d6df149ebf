"""What a run leaves behind for its report."""

import json
import math
from pathlib import Path

import pytest

from components.reporter.render import render
from components.reporter.store import copy, load, save, write_report
from components.shared.errors import InputError
from components.shared.result import Result
from components.shared.run_folder import RunFolder
from support.report_content import content, error, metrics, png


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.report.mkdir(parents=True)
    return made


def test_saved_run_gives_the_same_page_again(folder: RunFolder) -> None:
    save(folder.report, content())
    page = (folder.report / "report.html").read_bytes()
    assert page.decode() == render(content())
    (folder.report / "report.html").unlink()
    assert write_report(folder.report, load(folder)).read_bytes() == page


def test_metrics_and_content_are_strict_json(folder: RunFolder) -> None:
    save(folder.report, content(history=[{"epoch": 0, "eval_auc": math.nan}]))
    metrics = json.loads((folder.report / "metrics.json").read_text())
    assert metrics["intervals"]["f1"] == [None, None]
    saved = json.loads((folder.report / "content.json").read_text())
    assert saved["metrics"] == metrics
    assert saved["history"] == [{"epoch": 0, "eval_auc": None}]


def test_pictures_of_an_earlier_run_are_gone(folder: RunFolder) -> None:
    save(folder.report, content(pictures={"errors/000.png": png(), "errors/001.png": png()}))
    save(folder.report, content(pictures={"errors/000.png": png(grey=7)}))
    assert [path.name for path in (folder.report / "errors").iterdir()] == ["000.png"]
    assert load(folder).pictures == {"errors/000.png": png(grey=7)}
    save(folder.report, content(pictures={}))
    assert not (folder.report / "errors").exists()
    assert not list(folder.report.glob("*.part"))


def test_picture_that_is_gone_is_left_out(folder: RunFolder) -> None:
    save(folder.report, content())
    (folder.report / "errors" / "000.png").unlink()
    assert load(folder).pictures == {}


def test_pictures_come_from_the_report_alone(folder: RunFolder) -> None:
    (folder.root / "secret.png").write_bytes(png())
    wrong = error(picture="../secret.png")
    save(folder.report, content(metrics=metrics(errors=[wrong]), pictures={}))
    assert load(folder).pictures == {}


def test_save_that_is_cut_leaves_no_content(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder.report, content())

    def fail(_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("components.reporter.store.render", fail)
    with pytest.raises(MemoryError):
        save(folder.report, content())
    with pytest.raises(InputError, match=r"left no content\.json"):
        load(folder)


def test_content_of_another_version_is_one_sentence(folder: RunFolder) -> None:
    save(folder.report, content())
    path = folder.report / "content.json"
    saved = json.loads(path.read_text())
    saved["metrics"]["threshold"] = {"threshold": 0.5}
    path.write_text(json.dumps(saved))
    with pytest.raises(InputError, match=r"content\.json cannot be read"):
        load(folder)
    with pytest.raises(InputError, match=r"another version .* \(at threshold\): run with another"):
        Result.of_metrics(saved["metrics"])


@pytest.mark.parametrize("text", ["{", "[]", '{"metrics": {}}', '{"unknown": 1}'])
def test_damaged_content_is_one_sentence(folder: RunFolder, text: str) -> None:
    (folder.report / "content.json").write_text(text)
    with pytest.raises(InputError, match=r"content\.json cannot be read"):
        load(folder)


def test_copy_has_the_same_files_and_none_of_before(folder: RunFolder, tmp_path: Path) -> None:
    def files(root: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    source = tmp_path / "artifact"
    source.mkdir()
    (source / "quarantine.csv").write_text("file,reason\n")
    save(source, content(pictures={"errors/000.png": png()}))
    save(folder.report, content(pictures={"errors/007.png": png()}))
    copy(source, folder.report)
    assert files(folder.report) == files(source)
    assert load(folder).pictures == {"errors/000.png": png()}
    save(source, content(pictures={}))
    copy(source, folder.report)
    assert files(folder.report) == files(source)
    assert not (folder.report / "errors").exists()


def test_copy_that_is_cut_leaves_no_content(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "artifact"
    source.mkdir()
    for report in (source, folder.report):
        save(report, content())

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("components.reporter.store.shutil.copyfile", fail)
    with pytest.raises(OSError, match="No space left"):
        copy(source, folder.report)
    with pytest.raises(InputError, match=r"left no content\.json"):
        load(folder)
