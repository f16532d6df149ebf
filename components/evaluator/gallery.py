"""Pictures of the worst misreadings, and where in them the model looked."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from components.evaluator.misreadings import Misreading, small_picture
from components.shared.features import (
    FILE_NAME,
    HEATMAP,
    IMAGE,
    IMAGE_BYTES,
    SEEN_BYTES,
    SIGNATURE_EXPLAIN,
)
from components.shared.record import decode
from components.shared.result import Misread

FOLDER = "errors"


def write_gallery(
    misreadings: list[Misreading], examples: str, model: Any, folder: str
) -> list[Misread]:
    """Writes a small picture of each misread film.

    Args:
        misreadings: to show.
        examples: the folder of TFRecord files with their films.
        model: the SavedModel, loaded.
        folder: where the folder `errors` is made.

    Returns:
        Each misreading with its picture, a path inside `folder`, and its heat map, float [h][w],
        0 to 1, which covers the picture. Where the model has no signature for it the
        picture is the whole film and the heat map None.
    """
    if not misreadings:
        return []
    tf.io.gfile.makedirs(os.path.join(folder, FOLDER))
    explain = model.signatures.get(SIGNATURE_EXPLAIN)
    places = {reading.file_name: number for number, reading in enumerate(misreadings)}
    shown: dict[int, dict[str, Any]] = {}
    for name, film in _films(examples, places):
        number = places[name]
        path = f"{FOLDER}/{number:03d}.png"
        picture, heatmap = _explained(explain, film) if explain else (small_picture(film), None)
        with tf.io.gfile.GFile(os.path.join(folder, path), "wb") as file:
            file.write(picture)
        shown[number] = {"picture": path, "heatmap": heatmap}
    return [Misread(**reading._asdict(), **shown[n]) for n, reading in enumerate(misreadings)]


def _films(examples: str, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yields file name and bytes of the named films, one at a time."""
    wanted = set(names)
    paths = sorted(tf.io.gfile.glob(os.path.join(examples, "*")))
    for record in tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator():
        film = decode(record, FILE_NAME, IMAGE)
        if film[FILE_NAME] in wanted:
            yield film[FILE_NAME], film[IMAGE]


def _explained(explain: Any, film: bytes) -> tuple[bytes, list[list[float]]]:
    """Returns what the net saw of a film, as a PNG, and its heat map."""
    answer = explain(**{IMAGE_BYTES: tf.constant([film])})
    heatmap: list[list[float]] = answer[HEATMAP][0].numpy().tolist()
    return answer[SEEN_BYTES][0].numpy(), heatmap
