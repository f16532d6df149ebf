"""The balanced generator: every batch holds both classes equally."""

from collections.abc import Sequence

import tensorflow as tf

# Films in the reach of the shuffle, which holds them decoded; ingestion has mixed them already.
_SHUFFLE_WINDOW = 1024


def steps_per_epoch(sizes: Sequence[int], batch_size: int) -> int:
    """Returns how many batches show the larger class once: ceil(larger / (batch_size / 2))."""
    return -(-max(sizes) // (batch_size // 2))


def balanced_epoch(
    classes: Sequence[tf.data.Dataset],
    sizes: Sequence[int],
    batch_size: int,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """Returns one epoch of batches with half of each class, in an order of its own.

    The larger class is shown once; the smaller one begins anew, in another order, as often as
    needed.

    Args:
        classes: one dataset a class, of any one structure of elements.
        sizes: elements of each.
        batch_size: elements of a batch, even.
        seed: of the run.
        epoch: the same seed and epoch give the same batches.

    Returns:
        A dataset of `steps_per_epoch` batches, the first class first in each.

    Raises:
        ValueError: an odd batch size, or a class without films.
    """
    if batch_size % 2:
        raise ValueError(f"batch_size must be even to hold both classes equally, not {batch_size}")
    if min(sizes) < 1:
        raise ValueError(f"a class has no films: {list(sizes)}")
    halves = [
        dataset.shuffle(min(size, _SHUFFLE_WINDOW), seed=seed * 100_003 + epoch * 101 + label)
        .repeat()
        .batch(batch_size // len(classes), drop_remainder=True)
        for label, (dataset, size) in enumerate(zip(classes, sizes, strict=True))
    ]
    return (
        tf.data.Dataset.zip(tuple(halves))
        .map(_concatenate)
        .take(steps_per_epoch(sizes, batch_size))
        .prefetch(tf.data.AUTOTUNE)
    )


def _concatenate(*parts: object) -> object:
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *parts)
