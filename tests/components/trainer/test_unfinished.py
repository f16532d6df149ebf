import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TextIO

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
    folder = str(tmp_path / "work" / "net")
    command = [sys.executable, "-c", HOLDER, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "claimed\n"
            with pytest.raises(InputError, match=refusal(folder)), claimed(folder):
                pass
        finally:
            holder.kill()
    for _ in range(2):
        with claimed(folder):
            pass


def refusal(folder: str) -> str:
    return f"^Another run trains .* in {folder}: let it end"


def test_a_folder_is_claimed_until_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "work" / "net")
    remove = shutil.rmtree

    def check_and_remove(path: str) -> None:
        with pytest.raises(InputError, match=refusal(folder)), claimed(folder):
            pass
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", check_and_remove)
    with claimed(folder):
        Path(folder, "epoch-0000.npz").write_bytes(b"weights")
    assert os.listdir(tmp_path / "work") == []


def test_what_a_failed_training_leaves_stays(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "net"

    def fail() -> None:
        (folder / "epoch-0000.npz").write_bytes(b"weights")
        raise KeyError

    with pytest.raises(KeyError), claimed(str(folder)):
        fail()
    assert os.listdir(folder) == ["epoch-0000.npz"]


def test_a_lock_that_its_holder_removed_meanwhile_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "net")
    lock = fcntl.flock
    seen: list[bool] = []

    def late(file: TextIO, operation: int) -> None:
        if not seen:  # between our opening of the file and our lock the holder ends
            os.remove(f"{folder}.lock")
        seen.append(os.path.exists(f"{folder}.lock"))
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed(folder):
        assert seen == [False, True]
        with pytest.raises(InputError), claimed(folder):
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
