"""Transformed Examples as tf.data: what the training code reads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.shared.features import FILE_NAME, IMAGE, LABEL, SQUASHED, SUBTYPE
from components.shared.record import spec
from components.trainer.augment import draw_view


class Split(NamedTuple):
    """One split of the transformed Examples.

    Attributes:
        files: its TFRecord files, gzipped, in order.
        labels: int64 [N], in the order of the records.
        subtypes: N, in the order of the records.
        squashed: float32 [N], how many times more a film was shrunk in width than in height.
    """

    files: Sequence[str]
    labels: np.ndarray
    subtypes: Sequence[str]
    squashed: np.ndarray


def open_split(patterns: Sequence[str]) -> Split:
    """Finds the files of a split and reads what is known of its films."""
    paths = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    batches = [
        (batch[LABEL].numpy(), batch[SUBTYPE].numpy(), batch[SQUASHED].numpy())
        for batch in tf.data.TFRecordDataset(paths, compression_type="GZIP")
        .batch(1024)
        .map(lambda batch: tf.io.parse_example(batch, spec(LABEL, SUBTYPE, SQUASHED)))
    ]
    labels, subtypes, squashed = zip(*batches, strict=True) if batches else ((), (), ())
    return Split(
        paths,
        np.concatenate([np.zeros(0, np.int64), *labels]),
        [subtype.decode() for batch in subtypes for subtype in batch],
        np.concatenate([np.zeros(0, np.float32), *squashed]),
    )


def records(split: Split, rows: np.ndarray | None = None) -> tf.data.Dataset:
    """Returns (row int64, serialized Example) in the order of the records.

    Args:
        split: which.
        rows: those wanted, in any order; None for all.
    """
    numbered = tf.data.TFRecordDataset(list(split.files), compression_type="GZIP").enumerate()
    if rows is None:
        return numbered
    wanted = np.zeros(len(split.labels), bool)
    wanted[rows] = True
    mask = tf.constant(wanted)
    return numbered.filter(lambda row, _: mask[row])


def read_view(record: tf.Tensor, view: int, seed: int, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads one film and draws the random numbers of one of its views.

    Args:
        record: string scalar, a serialized Example.
        view: which view.
        seed: of the run.
        size: side P of the pictures.

    Returns:
        float32 [P, P, 1], 0 to 255, and float32 [DRAWS], see `augment.draw_view`.
    """
    features = tf.io.parse_single_example(record, spec(IMAGE, FILE_NAME))
    picture = tf.cast(tf.io.decode_png(features[IMAGE], channels=1), tf.float32)
    picture.set_shape([size, size, 1])
    return picture, draw_view(features[FILE_NAME], view, seed)
