import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.shared.digest import folder_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one" / "b").mkdir(parents=True)
    (tmp_path / "one" / "a").write_bytes(b"x" * (2**20 + 1))
    (tmp_path / "one" / "b" / "c").write_bytes(b"y")
    return tmp_path / "one"


def test_by_hand(folder: Path) -> None:
    expected = hashlib.sha256(b"1 a 1048577\n" + b"x" * 1048577 + b"3 b/c 1\ny").hexdigest()
    assert folder_digest(str(folder)) == expected


def test_wherever_it_lies(folder: Path) -> None:
    before = folder_digest(str(folder))
    for name in ("a", "b/c"):
        target = f"ram://elsewhere/{name}"
        tf.io.gfile.makedirs(target.rpartition("/")[0])
        tf.io.gfile.copy(str(folder / name), target)
    assert folder_digest("ram://elsewhere") == before
    assert folder_digest(str(folder.rename(folder.with_name("two")))) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b" / "c").write_bytes(b"z"),
        lambda folder: (folder / "b" / "c").rename(folder / "b" / "d"),
        lambda folder: (folder / "b" / "c").unlink(),
        lambda folder: (folder / "b" / "d").touch(),
        lambda folder: (
            (folder / "b" / "c").write_bytes(b""),
            (folder / "a").open("ab").write(b"y"),
        ),
    ],
)
def test_every_name_and_byte_counts(folder: Path, change: Callable[[Path], Any]) -> None:
    before = folder_digest(str(folder))
    change(folder)
    assert folder_digest(str(folder)) != before
