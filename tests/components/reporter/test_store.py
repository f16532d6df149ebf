"""What a run leaves behind for its report."""

import json
import math
from pathlib import Path

import pytest

from components.reporter.render import render
from components.reporter.store import load, save, write_report
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
    save(folder, content())
    page = (folder.report / "report.html").read_bytes()
    assert page.decode() == render(content())
    (folder.report / "report.html").unlink()
    assert write_report(folder, load(folder)).read_bytes() == page


def test_metrics_and_content_are_strict_json(folder: RunFolder) -> None:
    save(folder, content(history=[{"epoch": 0, "eval_auc": math.nan}]))
    metrics = json.loads((folder.report / "metrics.json").read_text())
    assert metrics["intervals"]["f1"] == [None, None]
    saved = json.loads((folder.report / "content.json").read_text())
    assert saved["metrics"] == metrics
    assert saved["history"] == [{"epoch": 0, "eval_auc": None}]


def test_pictures_of_an_earlier_run_are_gone(folder: RunFolder) -> None:
    save(folder, content(pictures={"errors/000.png": png(), "errors/001.png": png()}))
    save(folder, content(pictures={"errors/000.png": png(grey=7)}))
    assert [path.name for path in (folder.report / "errors").iterdir()] == ["000.png"]
    assert load(folder).pictures == {"errors/000.png": png(grey=7)}
    save(folder, content(pictures={}))
    assert not (folder.report / "errors").exists()
    assert not list(folder.report.glob("*.part"))


def test_picture_that_is_gone_is_left_out(folder: RunFolder) -> None:
    save(folder, content())
    (folder.report / "errors" / "000.png").unlink()
    assert load(folder).pictures == {}


def test_pictures_come_from_the_report_alone(folder: RunFolder) -> None:
    (folder.root / "secret.png").write_bytes(png())
    wrong = error(picture="../secret.png")
    save(folder, content(metrics=metrics(errors=[wrong]), pictures={}))
    assert load(folder).pictures == {}


def test_save_that_is_cut_leaves_no_content(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, content())

    def fail(_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("components.reporter.store.render", fail)
    with pytest.raises(MemoryError):
        save(folder, content())
    with pytest.raises(InputError, match=r"left no content\.json"):
        load(folder)


def test_content_of_another_version_is_one_sentence(folder: RunFolder) -> None:
    save(folder, content())
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
