"""The balanced generator: every batch holds both classes equally, and all kinds of pneumonia."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# Elements in the reach of the shuffle, which are records or row numbers, not decoded films;
# ingestion has mixed them already.
_SHUFFLE_WINDOW = 4096


def steps_per_epoch(sizes: Sequence[int], batch_size: int) -> int:
    """Returns how many batches hold as many films as there are, rounded up."""
    return -(-sum(sizes) // batch_size)


def shares(groups: int, batch_size: int) -> list[int]:
    """Returns how many films of each group a batch holds.

    Half are of the first group, the normal films; the rest are of the others, as evenly as can
    be, the earlier ones first.

    Raises:
        ValueError: fewer than two groups, an odd batch size, or fewer places than groups.
    """
    half, odd = divmod(batch_size, 2)
    others = groups - 1
    if odd or others < 1 or half < others:
        raise ValueError(f"a batch of {batch_size} cannot hold {groups} groups, half normal")
    return [half, *(half // others + (group < half % others) for group in range(others))]


def balanced_epoch(
    groups: Sequence[tf.data.Dataset],
    sizes: Sequence[int],
    batch_size: int,
    seed: int,
    epoch: int,
    load: Callable[..., object],
) -> tf.data.Dataset:
    """Returns one epoch of batches, in an order of its own.

    A group that is too small for its share begins anew, in another order, as often as needed; of
    one that is too large, each epoch shows another part. The order also depends on TensorFlow's
    global seed.

    Args:
        groups: one dataset a group, of any one structure of elements, the normal films first.
        sizes: elements of each.
        batch_size: elements of a batch, see `shares`.
        seed: of the run.
        epoch: the same seed and epoch give the same batches.
        load: turns an element into what a batch is made of; runs after the shuffle.

    Returns:
        A dataset of `steps_per_epoch` batches, in each of which the groups are spread evenly, so
        that every replica of a distributed step gets its share.

    Raises:
        ValueError: see `shares`, or a group without films.
    """
    if min(sizes) < 1:
        raise ValueError(f"a group has no films: {list(sizes)}")
    sharing = shares(len(groups), batch_size)
    parts = [
        dataset.shuffle(min(size, _SHUFFLE_WINDOW), seed=seed * 100_003 + epoch * 101 + number)
        .repeat()
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(share, drop_remainder=True)
        for number, (dataset, size, share) in enumerate(zip(groups, sizes, sharing, strict=True))
    ]
    places = np.concatenate([(np.arange(share) + 0.5) / share for share in sharing])
    order = np.argsort(places, kind="stable")

    def mix(*batch: object) -> object:
        return tf.nest.map_structure(lambda *part: tf.gather(tf.concat(part, 0), order), *batch)

    return tf.data.Dataset.zip(tuple(parts)).map(mix).take(steps_per_epoch(sizes, batch_size))
