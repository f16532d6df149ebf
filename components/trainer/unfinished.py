"""Where a training that is not done lies, so that another process goes on with it."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from absl import logging

from components.shared.errors import InputError
from components.shared.files import replace
from components.trainer.backbone import file_state
from components.trainer.films import Split
from components.trainer.frozen import BFLOAT16, FLOAT32, resolved
from components.trainer.settings import RunSettings
from components.trainer.workers import from_chief, is_chief, worker_name

_PRECISION_FILE = "precision"


def work_folder(settings: RunSettings, train: Split, evaluation: Split) -> str:
    """Returns the folder of checkpoints: the same data, settings and weights find it again.

    The data are named by their Examples' folders, which TFX never writes twice.
    """
    state = file_state(settings.backbone)
    key = json.dumps([settings.model_dump(), state, train.files, evaluation.files])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return os.path.join(settings.work_dir, name)


def worker_folder(folder: str) -> str:
    """Returns the folder within of this worker's own files; the current strategy tells which."""
    own = os.path.join(folder, worker_name())
    os.makedirs(own, exist_ok=True)
    return own


@contextmanager
def claimed(folder: str) -> Iterator[None]:
    """Makes the folder, keeps others out of it, and removes it when the block has ended well.

    A process that is killed keeps nobody out. The lock lies beside the folder, so that the folder
    can be removed while it is held.

    Raises:
        InputError: another process trains there.
    """
    path = f"{folder}.lock"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with _lock(path, folder):
        os.makedirs(folder, exist_ok=True)
        yield
        shutil.rmtree(folder)
        os.remove(path)


def _lock(path: str, folder: str) -> TextIO:
    """Returns a lock's file, open and locked."""
    while True:
        lock = open(path, "w")  # noqa: SIM115 - the caller closes it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise InputError(
                f"Another run trains the same net on the same films in {folder}: let it end, and "
                "run again."
            ) from error
        except OSError as error:
            logging.warning("%s knows no locks (%s): no other run may train there.", folder, error)
        if os.fstat(lock.fileno()).st_nlink:
            return lock
        lock.close()  # whoever held it has ended and removed it: others would lock another file


def kept_precision(folder: str, name: str) -> str:
    """Returns the precision that the training in the folder began with, or begins with now.

    Of several workers the chief's is everybody's; all of them must ask at once.

    Args:
        folder: this worker's.
        name: `float32`, `bfloat16`, or `auto`, of which another machine makes something else, or
            this one when it is busy.
    """
    own = _own_precision(folder, name) if is_chief() else FLOAT32
    (coarse,) = from_chief([float(own == BFLOAT16)])
    return BFLOAT16 if coarse else FLOAT32


def _own_precision(folder: str, name: str) -> str:
    path = os.path.join(folder, _PRECISION_FILE)
    if os.path.exists(path):
        with open(path) as file:
            return file.read()
    found = resolved(name)
    replace(Path(path), found)
    return found
