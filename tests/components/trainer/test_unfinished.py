import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.shared.errors import InputError
from components.trainer import frozen
from components.trainer.films import Split
from components.trainer.unfinished import claimed, kept_precision, work_folder, worker_folder
from support.tiny_training import SETTINGS

HOLDER = """
import sys, time
from components.trainer.unfinished import claimed
with claimed(sys.argv[1]):
    print("claimed", flush=True)
    time.sleep(600)
"""


def test_what_a_run_left_is_found_by_the_same_data_settings_and_weights_only(
    tmp_path: Path,
) -> None:
    net = tmp_path / "net.keras"
    net.write_bytes(b"weights")
    settings = SETTINGS.changed(backbone=str(net), work_dir=str(tmp_path / "work"))

    def split(name: str) -> Split:
        return Split([name], np.zeros(1, np.int64), ["normal"], np.ones(1, np.float32))

    train, evaluation = split("7/train"), split("7/eval")
    folder = work_folder(settings, train, evaluation)
    assert os.path.isdir(folder)
    assert work_folder(settings, train, evaluation) == folder
    for other in (
        {"epochs": 7},
        {"fine_tune": "conv5", "views": None},
        {"crop": 0.9},
        {"precision": "bfloat16"},
    ):
        assert work_folder(settings.changed(**other), train, evaluation) != folder
    assert work_folder(settings, split("8/train"), evaluation) != folder
    assert work_folder(settings, train, split("8/eval")) != folder
    net.write_bytes(b"other weights")
    assert work_folder(settings, train, evaluation) != folder


def test_one_process_trains_in_a_folder_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "claimed\n"
            sentence = f"^Another run trains .* in {tmp_path}: let it end"
            with pytest.raises(InputError, match=sentence), claimed(str(tmp_path)):
                pass
        finally:
            holder.kill()
    for _ in range(2):
        with claimed(str(tmp_path)):
            pass


def test_training_goes_on_in_the_precision_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = worker_folder(str(tmp_path))
    assert own == str(tmp_path / "worker-0")
    for measured in ("bfloat16", "float32"):
        monkeypatch.setattr(frozen, "faster_precision", lambda _, name=measured: name)
        assert kept_precision(own, "auto") == "bfloat16"
    assert kept_precision(str(tmp_path), "auto") == "float32"
    assert kept_precision(worker_folder(str(tmp_path / "other")), "bfloat16") == "bfloat16"
    assert os.listdir(own) == ["precision"]
