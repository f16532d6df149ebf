from collections import Counter
from collections.abc import Callable, Sequence

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.balance import balanced_epoch, shares, steps_per_epoch

Batch = tuple[list[int], list[int]]


def as_it_is(*element: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return element


def numbered(group: int, size: int) -> tf.data.Dataset:
    """Elements that tell their group and their number."""
    return tf.data.Dataset.range(size).map(lambda number: (group * 1000 + number, group))


def batches_of(
    sizes: Sequence[int],
    batch_size: int,
    seed: int = 1,
    epoch: int = 0,
    load: Callable[..., object] = as_it_is,
) -> list[Batch]:
    keras.utils.set_random_seed(0)  # so that nothing but seed and epoch can make a difference
    groups = [numbered(group, size) for group, size in enumerate(sizes)]
    return [
        (numbers.tolist(), found.tolist())
        for numbers, found in balanced_epoch(
            groups, sizes, batch_size, seed, epoch, load
        ).as_numpy_iterator()
    ]


def shown(batches: list[Batch], group: int) -> list[int]:
    return [
        number
        for numbers, groups in batches
        for number, found in zip(numbers, groups, strict=True)
        if found == group
    ]


@pytest.mark.parametrize(
    ("sizes", "batch_size", "steps"),
    [
        ((10, 3), 4, 4),  # 3.25 batches
        ((3, 10), 4, 4),
        ((7, 5), 4, 3),
        ((1, 1), 2, 1),
        ((1, 1), 64, 1),
        ((1341, 3875), 32, 163),  # the public set: 5216 / 32
        ((1341, 2530, 1345), 32, 163),
        ((1341, 2530, 1346), 32, 164),
        ((17, 16), 32, 2),
    ],
)
def test_steps_by_hand(sizes: Sequence[int], batch_size: int, steps: int) -> None:
    assert steps_per_epoch(sizes, batch_size) == steps


@pytest.mark.parametrize(
    ("groups", "batch_size", "expected"),
    [
        (2, 2, [1, 1]),
        (2, 32, [16, 16]),
        (3, 4, [2, 1, 1]),
        (3, 6, [3, 2, 1]),
        (3, 32, [16, 8, 8]),
        (4, 32, [16, 6, 5, 5]),
        (4, 34, [17, 6, 6, 5]),
        (5, 8, [4, 1, 1, 1, 1]),
    ],
)
def test_shares_by_hand(groups: int, batch_size: int, expected: list[int]) -> None:
    assert shares(groups, batch_size) == expected


@pytest.mark.parametrize(
    ("groups", "batch_size"), [(2, 5), (3, 2), (4, 4), (1, 4), (0, 4), (2, 0), (2, 1)]
)
def test_shares_that_cannot_be(groups: int, batch_size: int) -> None:
    message = f"a batch of {batch_size} cannot hold {groups} groups, half normal"
    with pytest.raises(ValueError, match=message):
        shares(groups, batch_size)


@pytest.mark.parametrize("sizes", [(12, 5), (5, 12), (6, 6), (1, 9), (1, 1)])
@pytest.mark.parametrize("batch_size", [2, 4, 20])
def test_every_batch_holds_both_of_two_groups_equally(
    sizes: tuple[int, int], batch_size: int
) -> None:
    batches = batches_of(sizes, batch_size)
    assert len(batches) == steps_per_epoch(sizes, batch_size)
    for numbers, groups in batches:
        assert groups == [0, 1] * (batch_size // 2)
        assert [number // 1000 for number in numbers] == groups


@pytest.mark.parametrize(("sizes", "steps"), [((9, 5, 2), 2), ((3, 1, 20), 3), ((20, 6, 6), 4)])
def test_every_batch_holds_all_groups_spread_evenly(sizes: Sequence[int], steps: int) -> None:
    batches = batches_of(sizes, 10)
    assert len(batches) == steps
    # At 1, 3, 5, 7 and 9 tenths of the batch; 1, 3 and 5 sixths; 1 and 3 quarters.
    for numbers, groups in batches:
        assert groups == [0, 1, 2, 0, 0, 1, 0, 2, 1, 0]
        assert [number // 1000 for number in numbers] == groups


@pytest.mark.parametrize("replicas", [1, 2, 4, 8])
def test_every_replica_gets_its_share_of_a_batch(replicas: int) -> None:
    for _, groups in batches_of((40, 20, 20), 32):
        for part in np.array_split(np.array(groups), replicas):
            assert np.bincount(part).tolist() == [16 // replicas, 8 // replicas, 8 // replicas]


def test_groups_that_fit_are_shown_exactly_once() -> None:
    batches = batches_of((24, 12, 12), 8)
    for group, size in enumerate((24, 12, 12)):
        numbers = shown(batches, group)
        assert sorted(numbers) == [group * 1000 + number for number in range(size)]
        assert numbers != sorted(numbers)


def test_a_small_group_begins_anew_in_another_order() -> None:
    # 21 batches of 4: 84 places for 20 films.
    numbers = shown(batches_of((148, 20), 8), 1)
    assert len(numbers) == 84
    rounds = [numbers[start : start + 20] for start in (0, 20, 40, 60)]
    for one in rounds:
        assert sorted(one) == list(range(1000, 1020))
    assert len({tuple(one) for one in rounds}) == 4
    assert len(set(numbers[80:])) == 4


def test_of_a_large_group_each_epoch_shows_another_part() -> None:
    # 26 batches of 4: 52 places for 100 films.
    first, second = (shown(batches_of((100, 4), 4, epoch=epoch), 0) for epoch in (0, 1))
    assert len(set(first)) == len(first) == len(set(second)) == len(second) == 52
    assert 20 < len(set(first) - set(second)) < 48


def test_a_group_that_does_not_fill_the_last_batch_is_shown_again_from_its_start() -> None:
    # 3 batches of 3: 9 places for 7 films.
    counts = Counter(shown(batches_of((7, 7), 6), 0))
    assert set(counts) == set(range(7))
    assert sorted(counts.values()) == [1, 1, 1, 1, 1, 2, 2]


def test_seed_and_epoch_give_the_order() -> None:
    first = batches_of((30, 10, 8), 6, seed=1, epoch=2)
    assert batches_of((30, 10, 8), 6, seed=1, epoch=2) == first
    assert batches_of((30, 10, 8), 6, seed=1, epoch=3) != first
    assert batches_of((30, 10, 8), 6, seed=2, epoch=2) != first


def test_groups_are_shuffled_apart() -> None:
    batches = batches_of((30, 15, 15), 8)
    orders = {tuple(number % 1000 for number in shown(batches, group))[:14] for group in range(3)}
    assert len(orders) == 3


def test_one_dataset_can_be_read_twice() -> None:
    groups = [numbered(group, 8) for group in (0, 1)]
    epoch = balanced_epoch(groups, (8, 8), 4, 1, 0, as_it_is)
    for _ in range(2):
        numbers = np.concatenate([numbers for numbers, _ in epoch.as_numpy_iterator()])
        assert sorted(numbers.tolist()) == [*range(8), *range(1000, 1008)]


def test_a_batch_is_made_of_what_load_gives() -> None:
    def load(number: tf.Tensor, group: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        features = tf.fill([3], tf.cast(number, tf.float32))
        return {"features": features, "name": tf.strings.as_string(number)}, group

    groups = [numbered(group, 4) for group in (0, 1)]
    inputs, found = next(iter(balanced_epoch(groups, (4, 4), 4, 1, 0, load)))
    assert set(inputs) == {"features", "name"}
    assert inputs["features"].dtype == tf.float32
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [0, 1, 0, 1]
    names = [float(name) for name in inputs["name"].numpy()]
    assert len(set(names)) == 4
    np.testing.assert_array_equal(inputs["features"], np.repeat(names, 3).reshape(4, 3))


def test_what_the_shuffle_holds_is_not_loaded_yet() -> None:
    loaded = []

    def load(number: tf.Tensor, group: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def note(which: np.ndarray) -> np.ndarray:
            loaded.append(int(which))
            return which

        return tf.ensure_shape(tf.numpy_function(note, [number], tf.int64), []), group

    groups = [numbered(group, 1000) for group in (0, 1)]
    iterator = iter(balanced_epoch(groups, (1000, 1000), 4, 1, 0, load))
    numbers, _ = next(iterator)
    del iterator
    assert set(numbers.numpy().tolist()) <= set(loaded)
    assert len(loaded) < 500


def test_the_largest_seed_and_epoch_do_not_overflow() -> None:
    assert len(batches_of((4, 4), 4, seed=2**31 - 1, epoch=999)) == 2


def test_an_odd_batch_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="a batch of 5 cannot hold 2 groups, half normal"):
        batches_of((4, 4), 5)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (4, 4, 0)])
def test_a_group_without_films_is_an_error(sizes: Sequence[int]) -> None:
    with pytest.raises(ValueError, match=r"a group has no films: \[\d, \d(, \d)?\]"):
        batches_of(sizes, 4)
