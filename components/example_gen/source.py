"""What `data` names: a folder of class folders, or a table; local or behind tf.io.gfile."""

import hashlib
import os
from collections.abc import Collection, Sequence

import tensorflow as tf

from components.example_gen import files, identity, tables
from components.example_gen.film import Film
from components.example_gen.layouts import TABLE_SUFFIXES, is_table_name, layout_of
from components.example_gen.settings import RunSettings, Settings
from components.shared.errors import InputError


def is_table(data: str) -> bool:
    """Whether the data set is a table, and no folder."""
    return is_table_name(data) and not tf.io.gfile.isdir(data)


def folder_of(data: str) -> str:
    """Returns the folder that the films' names are relative to."""
    return os.path.dirname(data) if is_table(data) else data


def check(data: str, settings: Settings) -> None:
    """Looks at the folders, or at the table, and at no film.

    Raises:
        InputError: they cannot be used as they are.
    """
    if is_table(data):
        table = read_table(data, settings)
        if table.has_splits:
            _check_folders(data, table.folders, settings)
        elif settings.eval_from == "val":
            raise InputError(
                f"example_gen.eval_from is 'val', but the table {data} has no column of splits: "
                "use 'pool'."
            )
        return
    if not tf.io.gfile.isdir(data) and tf.io.gfile.exists(data):
        raise InputError(
            f"{data} is neither a folder nor a table: tables end in {', '.join(TABLE_SUFFIXES)}."
        )
    folders = [folder.folder for folder in files.find_class_folders(data)]
    if settings.eval_from == "val" and files.VAL_FOLDER not in folders:
        raise InputError(
            "example_gen.eval_from is 'val', but the data set has no folder 'val': use 'pool'."
        )


def _check_folders(data: str, folders: Collection[str], settings: Settings) -> None:
    needed = [files.TRAIN_FOLDER, files.TEST_FOLDER]
    if settings.eval_from == "val":
        needed.append(files.VAL_FOLDER)
    for folder in needed:
        if folder not in folders:
            raise InputError(
                f"The table {data} has a column of splits, and no film of {folder!r} in it."
            )


def read_table(data: str, settings: Settings) -> tables.Table:
    """Reads a table.

    Raises:
        InputError: it cannot be read, or is not as the settings say.
    """
    return tables.read(_bytes_of(data), data, layout_of(settings.table))


def list_table(table: tables.Table, settings: Settings, key: identity.Key) -> list[Film]:
    """Returns the films of a table, see `tables.list_films`."""
    folders: dict[str, frozenset[str]] = {}

    def find(places: Sequence[str]) -> str | None:
        return next((place for place in places if _is_there(table.path, place, folders)), None)

    return tables.list_films(table, find, key.pseudonym, settings.adults)


def patient_key(data: str, settings: RunSettings) -> identity.Key | None:
    """Returns the key that the patients of the data set need, made where it has to be.

    Returns:
        None for folders of films that no DICOM file is among, whose names tell the patients.

    Raises:
        InputError: it is empty, or cannot be read or written.
    """
    if is_table(data) or any(
        files.may_be_dicom(name)
        for folder in files.find_class_folders(data)
        for name in files.list_names(folder.path)
    ):
        return identity.open_key(settings.patient_key, settings.key_file)
    return None


def fingerprint(data: str, settings: RunSettings) -> str:
    """Returns a hash over the table's bytes, the key, and name, size and times of every film.

    Raises:
        InputError: the data set or the key cannot be used.
    """
    key = patient_key(data, settings)
    if key is None:
        return files.fingerprint(data)
    digest = hashlib.sha256(key.check.encode())
    if not is_table(data):
        digest.update(files.fingerprint(data).encode())
        return digest.hexdigest()
    digest.update(hashlib.sha256(_bytes_of(data)).digest())
    for film in list_table(read_table(data, settings), settings, key):
        state = files.state_of(os.path.join(folder_of(data), film.file_name))
        digest.update(f"{film.file_name}/{state}\n".encode())
    return digest.hexdigest()


def _bytes_of(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return bytes(file.read())
    except (OSError, tf.errors.OpError) as error:
        raise InputError(f"The table {path} does not exist or cannot be read.") from error


def _is_there(table: str, place: str, folders: dict[str, frozenset[str]]) -> bool:
    """Whether a table's film is there; each folder is listed once, whatever it holds."""
    folder, name = os.path.split(os.path.join(os.path.dirname(table), place))
    if folder not in folders:
        there = tf.io.gfile.isdir(folder)
        folders[folder] = frozenset(files.entries(folder) if there else ())
    return name in folders[folder]
