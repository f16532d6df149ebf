"""Where films lie in folders: `DATA/{train,val,test}/{NORMAL,PNEUMONIA}/*`, local or remote.

Only names and sizes are read here, never a picture.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from components.films.errors import FilmError
from components.films.headers import check_bytes
from components.shared.errors import InputError
from components.shared.features import CLASSES
from components.shared.limits import FilmLimits
from components.shared.text import has_controls

TRAIN_FOLDER, VAL_FOLDER, TEST_FOLDER = "train", "val", "test"
_DICOM_EXTENSIONS = (".dcm", ".dicom")
_EXTENSIONS = (".jpg", ".jpeg", ".png", *_DICOM_EXTENSIONS)
# Archives name films by their number, whose last part is no extension.
_NO_EXTENSION = re.compile(r"(\.\d*)?")
# Left behind by file managers and archivers; not films, and not the user's mistake either.
_STRAY = ("__macosx", "thumbs.db", "desktop.ini", "dicomdir")


class ClassFolder(NamedTuple):
    """One of the data set's folders of films.

    Attributes:
        path: the folder, as found on disk.
        folder: `train`, `val` or `test`.
        label: index into `components.shared.features.CLASSES`.
    """

    path: str
    folder: str
    label: int


def is_stray(name: str) -> bool:
    """Whether a file or folder is a file manager's and no part of the data set."""
    return name.startswith(".") or name.lower() in _STRAY


def find_class_folders(data: str) -> list[ClassFolder]:
    """Finds the folders of films, whatever the case of their names.

    Args:
        data: the data set's folder.

    Returns:
        The class folders of train, test and, where there is one, val.

    Raises:
        InputError: the folder, a split or a class is missing or empty.
    """
    if not tf.io.gfile.isdir(data):
        raise InputError(f"The data folder {data} does not exist or is no folder.")
    splits = _folders(data)
    found = []
    for folder in (TRAIN_FOLDER, VAL_FOLDER, TEST_FOLDER):
        if folder not in splits:
            if folder == VAL_FOLDER:
                continue
            raise InputError(f"{data} has no folder {folder!r}{_hint(data, splits)}.")
        classes = _folders(splits[folder])
        for label, name in enumerate(CLASSES):
            if name.lower() not in classes:
                raise InputError(f"{splits[folder]} has no folder {name!r}.")
            path = classes[name.lower()]
            if next(list_names(path), None) is None:
                raise InputError(f"The folder {path} holds no images.")
            found.append(ClassFolder(path, folder, label))
    return found


def _hint(data: str, folders: dict[str, str]) -> str:
    # The Kaggle archive unpacks to chest_xray/chest_xray.
    for name, path in folders.items():
        if TRAIN_FOLDER in _folders(path):
            return f"; did you mean {os.path.join(data, os.path.basename(path) or name)}?"
    return f" (found: {', '.join(sorted(folders)) or 'no folders'})"


def _folders(parent: str) -> dict[str, str]:
    """Maps the lower-case name of each folder in `parent` to its path."""
    found: dict[str, str] = {}
    for name in entries(parent):
        path = os.path.join(parent, name)
        if is_stray(name) or not tf.io.gfile.isdir(path):
            continue
        if name.lower() in found:
            raise InputError(f"{found[name.lower()]} and {path} differ in case only: keep one.")
        found[name.lower()] = path
    return found


def list_names(folder: str) -> Iterator[str]:
    """Yields the names of all but the stray entries of a class folder."""
    for name in entries(folder):
        if not is_stray(name):
            yield name


def entries(folder: str) -> list[str]:
    """Returns the names in a folder.

    Raises:
        InputError: it cannot be read, or a name in it is no text.
    """
    try:
        return [entry.rstrip("/") for entry in tf.io.gfile.listdir(folder)]
    except UnicodeDecodeError as error:
        name = error.object.decode("utf-8", "backslashreplace")
        raise InputError(
            f"The folder {folder} holds {name}, whose name is not UTF-8: rename it."
        ) from error
    except tf.errors.OpError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.message}.") from error


def may_be_dicom(name: str) -> bool:
    """Whether a file may be a DICOM file by its name, which need have no extension."""
    extension = os.path.splitext(name)[1].lower()
    return extension in _DICOM_EXTENSIONS or _NO_EXTENSION.fullmatch(extension) is not None


def refusal(path: str, limits: FilmLimits) -> str | None:
    """Says why an entry of a class folder cannot be read as a film, or returns None.

    Nothing is opened: a name that leads to a device or a pipe would hang its reader.

    Args:
        path: the entry.
        limits: of a film.
    """
    if has_controls(path):
        return "has a name with control characters in it: rename it"
    if not path.lower().endswith(_EXTENSIONS) and not may_be_dicom(path):
        return f"is no film by its name: its extension is none of {', '.join(_EXTENSIONS)}"
    try:
        stat = tf.io.gfile.stat(path)
    except tf.errors.OpError as error:
        return f"cannot be read ({error.message})"
    if stat.is_directory:
        return "is a folder, not a file"
    try:
        check_bytes(stat.length, limits)
    except FilmError as error:
        return str(error)
    return None


def fingerprint(data: str) -> str:
    """Returns a hash over the name, size and times of change (ns) of every film.

    Raises:
        InputError: see `find_class_folders`.
    """
    digest = hashlib.sha256()
    for folder in find_class_folders(data):
        for name in sorted(list_names(folder.path)):
            state = state_of(os.path.join(folder.path, name))
            digest.update(f"{folder.folder}/{folder.label}/{name}/{state}\n".encode())
    return digest.hexdigest()


def state_of(path: str) -> str:
    """Returns the size of a file and its times of change (ns)."""
    try:
        if "://" in path:
            remote = tf.io.gfile.stat(path)
            return f"{remote.length}/{remote.mtime_nsec}"
        # TensorFlow counts local files' times in seconds. The time of the last change of the inode
        # tells what a tool that restores modification times would hide.
        local = os.stat(path)
        return f"{local.st_size}/{local.st_mtime_ns}/{local.st_ctime_ns}"
    except (OSError, tf.errors.OpError):
        return "unreadable"
