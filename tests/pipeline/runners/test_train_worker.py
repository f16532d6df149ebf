"""A run whose Trainer is two processes, from the cache of another run to the evaluator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_SETTINGS, FinishedRun, cxr_run

from components.shared.lineage import newest_run_of
from components.shared.run_folder import RunFolder
from pipeline.cli import main
from pipeline.config import load_config
from pipeline.runners import local
from support.ports import two_workers

ROOT = Path(__file__).parents[3]
SETTINGS = ("trainer.distribution=multi_worker", "trainer.epochs=2")


class EvaluatorBegins(Exception):
    """Far enough."""


def nodes_to_the_evaluator(data: Path, folder: RunFolder) -> dict[str, bool]:
    """Runs what comes before the evaluator; returns which nodes came from the cache."""
    found: dict[str, bool] = {}

    def stop(node: str) -> None:
        if node == "YoudenEvaluator":
            raise EvaluatorBegins

    def note(node: str, seconds: float, cached: bool) -> None:
        found[node] = cached

    config = load_config("seed", [*TINY_SETTINGS, *SETTINGS])
    with pytest.raises(EvaluatorBegins):
        local.run_pipeline(config, str(data), folder, stop, note)
    return found


def test_workers_train_for_a_run(
    finished_run: FinishedRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    # The nodes before the Trainer come from the cache of that run.
    shutil.copy(finished_run.output / "metadata.sqlite", folder.metadata)
    assert cxr_run(finished_run.data, folder.root, *SETTINGS) == 2
    assert "no TF_CONFIG" in capsys.readouterr().err

    command = [sys.executable, "-m", "pipeline.cli", "train-worker", "--run", str(folder.root)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TF_CONFIG": cluster})
        for cluster in two_workers()
    ]
    try:
        assert [each.wait(timeout=300) for each in workers] == [0, 0]
    finally:
        for each in workers:
            each.kill()
    trained = newest_run_of(str(folder.metadata), "Trainer")
    assert trained is not None
    assert trained.state == "COMPLETE"
    model = Path(trained.output("model").uri)
    assert model.is_relative_to(folder.artifacts)
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
    # One of the two has written, and the checkpoints of both are cleared away.
    assert len(list(model.parent.iterdir())) == 1
    assert list((folder.artifacts / "Trainer" / "unfinished").iterdir()) == []

    assert nodes_to_the_evaluator(finished_run.data, folder)["Trainer"]
    again = newest_run_of(str(folder.metadata), "Trainer")
    assert again is not None
    assert again.state == "CACHED"
    assert Path(again.output("model").uri) == model


def test_workers_need_a_run_with_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-worker", "--run", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"cxr: --run {tmp_path} is no run folder with transformed films.\n"
    )


def test_workers_need_a_run_that_is_theirs(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train-worker", "--run", str(finished_run.output)]) == 2
    assert "trainer.distribution=none" in capsys.readouterr().err
