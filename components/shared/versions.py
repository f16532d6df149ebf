"""Which versions of a model are whole, and which is the newest. Imports nothing slow."""

from collections.abc import Callable, Iterable
from pathlib import Path

# What makes a folder a model; it is written last.
GRAPH_FILE = "saved_model.pb"
# TensorFlow Serving's numbers are of 64 bits.
LARGEST = 2**63 - 1


def is_version(name: str) -> bool:
    """Whether a folder's name is the number of a version: ASCII digits, at most `LARGEST`."""
    return name.isascii() and name.isdigit() and int(name) <= LARGEST


def whole_versions(names: Iterable[str], is_whole: Callable[[str], bool]) -> list[str]:
    """Returns the versions that can be served, oldest first.

    Args:
        names: in the folder of versions.
        is_whole: whether the version with this name has its graph.
    """
    return sorted(filter(is_whole, filter(is_version, names)), key=int)


def next_version(names: Iterable[str], clock: int) -> str:
    """Returns the clock's number, or a higher one where it is not above all that are there.

    Args:
        names: in the folder of versions; half a version counts too.
        clock: seconds since 1970.

    Raises:
        ValueError: a version has the largest number there is.
    """
    highest = max(map(int, filter(is_version, names)), default=-1)
    if highest == LARGEST:
        raise ValueError(f"there is no version above {highest}")
    return str(max(clock, highest + 1))


def local_versions(folder: Path) -> list[str]:
    """Returns the whole versions in a folder of this machine, oldest first.

    Raises:
        OSError: it is no folder that can be read.
    """
    names = (path.name for path in folder.iterdir())
    return whole_versions(names, lambda name: (folder / name / GRAPH_FILE).is_file())


def names_in(destination: str) -> list[str]:
    """Returns what is in a folder, which may be a remote one; nothing where there is none."""
    import tensorflow as tf

    if not tf.io.gfile.isdir(destination):
        return []
    return [name.rstrip("/") for name in tf.io.gfile.listdir(destination)]


def latest_version(destination: str) -> str:
    """Returns the newest whole version in a folder, which may be a remote one; empty for none."""
    import tensorflow as tf

    def is_whole(name: str) -> bool:
        return bool(tf.io.gfile.exists(f"{destination}/{name}/{GRAPH_FILE}"))

    return max(whole_versions(names_in(destination), is_whole), key=int, default="")
