"""Transformed Examples as tf.data: what the training code reads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.features import FILE_NAME, IMAGE, LABEL
from components.trainer.augment import augment, film_seed
from components.trainer.settings import Augmentation

_SPEC = {
    IMAGE: tf.io.FixedLenFeature([], tf.string),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
    FILE_NAME: tf.io.FixedLenFeature([], tf.string),
}


class Split(NamedTuple):
    """One split of the transformed Examples.

    Attributes:
        files: its TFRecord files, gzipped, in order.
        labels: int64 [N], in the order of the records.
    """

    files: Sequence[str]
    labels: np.ndarray


def open_split(patterns: Sequence[str]) -> Split:
    """Finds the files of a split and reads its labels."""
    paths = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    spec = {LABEL: _SPEC[LABEL]}
    batches = _records(paths).batch(1024).map(lambda batch: tf.io.parse_example(batch, spec)[LABEL])
    labels = [batch.numpy() for batch in batches]
    return Split(paths, np.concatenate(labels) if labels else np.zeros(0, np.int64))


def _records(paths: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(paths), compression_type="GZIP")


def films(
    split: Split, seed: int, view: int | None = None, bounds: Augmentation | None = None
) -> tf.data.Dataset:
    """Returns the films of a split, in the order of the records.

    Args:
        split: which.
        seed: of the augmentation.
        view: number of the augmented view; None for the films as they are.
        bounds: of the augmentation, needed with a view.

    Returns:
        A dataset of (float32 [S, S, 1], 0 to 255; float32 scalar, the label).
    """

    def read(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = tf.io.parse_single_example(record, _SPEC)
        image = tf.cast(tf.io.decode_png(features[IMAGE], channels=1), tf.float32)
        if view is not None and bounds is not None:
            image = augment(image, film_seed(features[FILE_NAME], view, seed), bounds)
        return image, tf.cast(features[LABEL], tf.float32)

    return _records(split.files).map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
