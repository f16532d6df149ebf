"""Files and folders that are whole or not there, and their names. Imports nothing slow."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from components.shared.errors import InputError
from components.shared.text import visible


def replace(path: Path, text: str) -> None:
    """Writes a file as a whole, or leaves the one before."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside a file; what is written there takes the file's place at the end.

    Where the block fails, the file before stays. Of a link the file is replaced that it leads to;
    a device or a pipe is written to in its place, as a shell does.
    """
    if _in_place(path):
        yield path
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        _remove([part])
        raise


def _in_place(path: Path) -> bool:
    """Whether a path is no file of its own, or leads to what a process has open."""
    opened = str(path.absolute()).startswith(("/dev/", "/proc/"))
    return path.exists() and not path.is_dir() and (opened or not path.is_file())


def displayed(path: str | Path) -> str:
    """Returns a path in UTF-8 that takes one line, and moves no cursor.

    A name of another encoding, as archives of other systems leave behind, cannot be printed: its
    bytes come as backslash, x and their hex, and so do characters that control a terminal or a
    table.
    """
    return visible(os.fsencode(path).decode("utf-8", "backslashreplace"))


def files_below(folder: Path) -> list[Path]:
    """Returns the files of a folder at any depth, sorted.

    Raises:
        InputError: it, or a folder in it, cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{displayed(error.filename)} cannot be read: {error.strerror}.")

    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=refuse, followlinks=False)
        for name in names
    ]
    return sorted(path for path in found if path.is_file())


def replace_all(texts: Mapping[Path, str]) -> None:
    """Writes files as a whole, all of them or none, or leaves those before.

    Nothing is replaced until all is written, and copies of what was there are put back where a file
    cannot be replaced. Only a process that is killed between two renames leaves some of each.
    """
    parts = {path: path.with_name(f"{path.name}.part") for path in texts}
    copies = {path: path.with_name(f"{path.name}.before") for path in texts if path.exists()}
    replaced: list[Path] = []
    try:
        for path, part in parts.items():
            part.write_text(texts[path], encoding="utf-8")
        for path, copy in copies.items():
            shutil.copy2(path, copy)
        for path, part in parts.items():
            part.replace(path)
            replaced.append(path)
    except BaseException:
        _put_back(replaced, copies)
        raise
    finally:
        _remove([*parts.values(), *copies.values()])


def replace_folder(folder: Path, new: Path, old: Path) -> None:
    """Puts a folder in the place of another, which is put back where that fails.

    Args:
        folder: the place, where there may be none yet.
        new: what comes there.
        old: an unused path in the same file system, where the one before lies afterwards.
    """
    existed = folder.exists()
    if existed:
        os.replace(folder, old)
    try:
        os.replace(new, folder)
    except BaseException:
        if existed:
            os.replace(old, folder)
        raise


def _put_back(replaced: Iterable[Path], copies: Mapping[Path, Path]) -> None:
    for path in replaced:
        # The first error is what is told; this one may be its consequence.
        with suppress(OSError):
            if path in copies:
                copies[path].replace(path)
            else:
                path.unlink()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
