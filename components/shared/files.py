"""Files and folders that are whole or not there. Imports nothing slow."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Writes a file as a whole, or leaves the one before."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside a file; what is written there takes the file's place at the end.

    Where the block fails, the file before stays.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        _remove([part])
        raise


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
