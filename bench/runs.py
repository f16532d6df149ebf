"""What the measurements read of a run folder of `cxr run`."""

import csv
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from components.shared.errors import InputError
from components.shared.features import FILE_NAME, LABEL
from components.shared.nodes import EVALUATOR, EXAMPLE_GEN, TRANSFORM
from components.shared.record import decode
from components.shared.versions import latest_version


def examples(run: Path, split: str) -> Iterator[bytes]:
    """Yields the serialized Examples that ChestXrayExampleGen wrote of a split, see `_files`."""
    files = _files(run, EXAMPLE_GEN, "examples", split)
    yield from tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()


def transformed_files(run: Path, split: str) -> list[str]:
    """Returns the files of Examples that Transform wrote of a split, see `_files`."""
    return _files(run, TRANSFORM, "transformed_examples", split)


def _files(run: Path, node: str, key: str, split: str) -> list[str]:
    """Returns the files of a split that a node wrote, in order.

    Raises:
        InputError: the folder is of no run, or the node has not run, or more than once.
    """
    folders = list(run.glob(f"artifacts/{node}/{key}/*/Split-{split}"))
    if len(folders) != 1:
        raise InputError(f"{run} holds what {len(folders)} runs of {node} wrote, not one.")
    return sorted(str(path) for path in folders[0].iterdir())


def predictions(run: Path, split: str) -> list[dict[str, str]]:
    """Returns the rows of the evaluator's last predictions.csv that are of a split."""
    paths = run.glob(f"artifacts/{EVALUATOR}/evaluation/*/predictions.csv")
    with open(
        max(paths, key=lambda path: int(path.parent.name)), encoding="utf-8", newline=""
    ) as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def films(run: Path, split: str) -> list[tuple[str, int]]:
    """Returns file name and label of each film of a split, by name."""
    found = (decode(record, FILE_NAME, LABEL) for record in examples(run, split))
    return sorted((film[FILE_NAME], film[LABEL]) for film in found)


def newest_model(run: Path) -> str:
    """Returns the folder of the SavedModel that was pushed last."""
    (folder,) = run.glob("serving_model/[!.]*")
    return str(folder / latest_version(str(folder)))
