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
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.shared.files import replacing
from components.shared.progress import advance
from components.trainer.augment import augment, central
from components.trainer.films import Split, read_view, records
from components.trainer.settings import RunSettings
from components.trainer.shapes import evening

_BATCH = 32
Forward = Callable[[tf.Tensor], tf.Tensor]


def views(split: Split, settings: RunSettings, view: int | None) -> tf.data.Dataset:
    """Returns batches of pictures as the net sees them, float32 [n, S, S, 1], in record order.

    Args:
        split: which.
        settings: sizes, augmentation and seed.
        view: number of the augmented view; None for the middle that evaluation sees.
    """
    widening = tf.constant(evening(split.labels, split.squashed))

    def cut(pictures: tf.Tensor, draws: tf.Tensor, wider: tf.Tensor) -> tf.Tensor:
        if view is None:
            return central(pictures, settings.net_size)
        seen = settings.net_size
        return augment(pictures, draws, wider, settings.augmentation, seen, seen)

    size = settings.input_size
    return (
        records(split)
        .map(
            lambda row, record: (
                *read_view(record, view or 0, settings.seed, size),
                widening[row],
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .batch(_BATCH)
        .map(cut)
    )


def embed(
    forward: Forward, pictures: tf.data.Dataset, shape: Sequence[int], path: str, task: str
) -> np.ndarray:
    """Runs a net over batches of pictures, or opens what an earlier run left at `path`.

    Args:
        forward: from float32 [n, S, S, 1] to float32 [n, ...].
        pictures: batches, [n, S, S, 1].
        shape: of the whole output, the number of pictures first.
        path: of the .npy file, which appears whole or not at all.
        task: what to call it in the progress report.

    Returns:
        float32 of that shape, memory-mapped.
    """
    if not os.path.exists(path):
        with replacing(Path(path)) as part:
            output = np.lib.format.open_memmap(part, "w+", np.float32, tuple(shape))
            start = 0
            for batch in pictures:
                found = forward(batch).numpy()
                output[start : start + len(found)] = found
                start += len(found)
                advance(task, len(found))
            output.flush()
    return np.load(path, mmap_mode="r")


class Embeddings:
    """A frozen net's output for the train split's views and the eval split.

    Attributes:
        views: list of float32 [N, ...], one array a view.
        evaluation: float32 [M, ...].
        films: how many views and films of eval there are.
        seconds: what the net took, also in runs before this one.
    """

    def __init__(
        self,
        forward: Forward,
        shape: Sequence[int],
        train: Split,
        evaluation: Split,
        settings: RunSettings,
        folder: str,
    ) -> None:
        """Computes what is not yet in `folder`.

        Args:
            forward: the net, from float32 [n, S, S, 1].
            shape: of its output for one film.
            train: whose views, `settings.views` each, are computed; none where that is None.
            evaluation: the eval split.
            settings: sizes, augmentation and seed.
            folder: of the files.
        """
        task = "Running the frozen net"
        number = settings.views or 0
        self.films = number * len(train.labels) + len(evaluation.labels)
        self.seconds = 0.0
        advance(task, 0, self.films)

        def timed(name: str, split: Split, view: int | None) -> np.ndarray:
            started = time.monotonic()
            path = os.path.join(folder, f"{name}.npy")
            whole = (len(split.labels), *shape)
            output = embed(forward, views(split, settings, view), whole, path, task)
            self.seconds += _remember_seconds(path, time.monotonic() - started)
            return output

        self.views = [timed(f"train-view-{view}", train, view) for view in range(number)]
        self.evaluation = timed("eval", evaluation, None)

    def fetch(self, epoch: int) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns what reads a film's output by its row, in the epoch's view."""
        view = self.views[epoch % len(self.views)]
        return lambda row: _read(view, row)

    def eval_batches(self) -> tf.data.Dataset:
        """Returns the eval split's output in batches, in record order."""
        rows = tf.data.Dataset.range(len(self.evaluation))
        return rows.map(lambda row: _read(self.evaluation, row)).batch(_BATCH)


def _read(array: np.ndarray, row: tf.Tensor) -> tf.Tensor:
    output = tf.numpy_function(lambda number: array[number], [row], tf.float32)
    output.set_shape(array.shape[1:])
    return output


def _remember_seconds(path: str, seconds: float) -> float:
    """Keeps the first measurement beside the features, and returns it."""
    note = f"{path}.json"
    if not os.path.exists(note):
        with open(note, "w") as file:
            json.dump(seconds, file)
    with open(note) as file:
        return float(json.load(file))
