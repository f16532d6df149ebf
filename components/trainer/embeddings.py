"""The frozen net's output, computed once and kept on disk.

A frozen net gives the same features for the same picture, so running it again in every epoch, as
a plain fit does, repeats its work. It is run once over each augmented view of each film instead,
and the epochs take the views in turn. The features are memory-mapped: what is in use is read, and
memory does not grow with the data set.
"""

import json
import os
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from components.progress import advance
from components.trainer.films import Split, films
from components.trainer.settings import Settings

_BATCH = 32


def embed(
    backbone: keras.Model, pictures: tf.data.Dataset, number: int, path: str, task: str
) -> np.ndarray:
    """Runs the backbone over a dataset, or opens what an earlier run left at `path`.

    Args:
        backbone: from float32 [N, S, S, 1] to float32 [N, C].
        pictures: dataset of (picture, anything).
        number: of pictures.
        path: of the .npy file, which appears whole or not at all.
        task: what to call it in the progress report.

    Returns:
        float32 [number, C], memory-mapped.
    """
    if not os.path.exists(path):
        shape = (number, backbone.output_shape[-1])
        features = np.lib.format.open_memmap(f"{path}.part", "w+", np.float32, shape)
        forward = tf.function(lambda batch: backbone(batch, training=False), reduce_retracing=True)
        start = 0
        for batch in pictures.map(lambda picture, _: picture).batch(_BATCH).prefetch(2):
            output = forward(batch).numpy()
            features[start : start + len(output)] = output
            start += len(output)
            advance(task, len(output))
        features.flush()
        os.replace(f"{path}.part", path)
    return np.load(path, mmap_mode="r")


class Embeddings:
    """Features of the train split's views and of the eval split.

    Attributes:
        views: list of float32 [N, C], one array a view.
        labels: int64 [N].
        eval_features: float32 [M, C].
        eval_labels: int64 [M].
        seconds: what the backbone took, also in runs before this one.
    """

    def __init__(
        self,
        backbone: keras.Model,
        train: Split,
        evaluation: Split,
        settings: Settings,
        folder: str,
    ) -> None:
        """Computes what is not yet in `folder`."""
        views = settings.views or 1
        task = "Running the frozen net"
        advance(task, 0, views * len(train.labels) + len(evaluation.labels))
        self.labels, self.eval_labels = train.labels, evaluation.labels
        self.seconds = 0.0

        def timed(name: str, pictures: tf.data.Dataset, number: int) -> np.ndarray:
            started = time.monotonic()
            path = os.path.join(folder, f"{name}.npy")
            features = embed(backbone, pictures, number, path, task)
            self.seconds += _remember_seconds(path, time.monotonic() - started)
            return features

        self.views = [
            timed(
                f"train-view-{view}",
                films(train, settings.seed, view, settings.augmentation),
                len(train.labels),
            )
            for view in range(views)
        ]
        self.eval_features = timed("eval", films(evaluation, settings.seed), len(self.eval_labels))

    def of_class(self, label: int, epoch: int) -> tf.data.Dataset:
        """Returns (features float32 [C], label float32) of a class, in the epoch's view."""
        rows = np.flatnonzero(self.labels == label)
        view = self.views[epoch % len(self.views)]
        return _gathered(rows, view.shape[1], lambda row: view[row], float(label))

    def sizes(self) -> Sequence[int]:
        """Returns the number of films of each class in the train split."""
        return [int((self.labels == label).sum()) for label in (0, 1)]


def _gathered(
    rows: np.ndarray, width: int, read: Callable[[int], np.ndarray], label: float
) -> tf.data.Dataset:
    def fetch(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = tf.numpy_function(read, [row], tf.float32)
        features.set_shape([width])
        return features, tf.constant(label)

    return tf.data.Dataset.from_tensor_slices(rows).map(fetch)


def _remember_seconds(path: str, seconds: float) -> float:
    """Keeps the first measurement beside the features, and returns it."""
    note = f"{path}.json"
    if not os.path.exists(note):
        with open(note, "w") as file:
            json.dump(seconds, file)
    with open(note) as file:
        return float(json.load(file))
