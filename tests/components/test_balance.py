from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.balance import balanced_epoch, steps_per_epoch


def numbered(label: int, size: int) -> tf.data.Dataset:
    """Elements that tell their class and their number."""
    return tf.data.Dataset.range(size).map(lambda number: (label * 1000 + number, label))


def batches_of(
    sizes: tuple[int, int], batch_size: int, seed: int = 1, epoch: int = 0
) -> list[tuple[list[int], list[int]]]:
    keras.utils.set_random_seed(0)  # so that nothing but seed and epoch can make a difference
    classes = [numbered(label, size) for label, size in enumerate(sizes)]
    return [
        (numbers.tolist(), labels.tolist())
        for numbers, labels in balanced_epoch(
            classes, sizes, batch_size, seed, epoch
        ).as_numpy_iterator()
    ]


def shown(batches: list[tuple[list[int], list[int]]], label: int) -> list[int]:
    return [
        number
        for numbers, labels in batches
        for number, found in zip(numbers, labels, strict=True)
        if found == label
    ]


@pytest.mark.parametrize(
    ("sizes", "batch_size", "steps"),
    [
        ((10, 3), 4, 5),
        ((3, 10), 4, 5),
        ((7, 3), 4, 4),  # 3.5 batches
        ((1, 1), 2, 1),
        ((1, 1), 64, 1),
        ((1341, 3875), 32, 243),  # the public set: 3875 / 16 = 242.2
        ((16, 16), 32, 1),
        ((17, 16), 32, 2),
    ],
)
def test_steps_by_hand(sizes: tuple[int, int], batch_size: int, steps: int) -> None:
    assert steps_per_epoch(sizes, batch_size) == steps


@pytest.mark.parametrize("sizes", [(12, 5), (5, 12), (6, 6), (7, 3), (1, 9), (1, 1)])
@pytest.mark.parametrize("batch_size", [2, 4, 6, 20])
def test_every_batch_holds_both_classes_equally(sizes: tuple[int, int], batch_size: int) -> None:
    batches = batches_of(sizes, batch_size)
    assert len(batches) == steps_per_epoch(sizes, batch_size)
    half = batch_size // 2
    for numbers, labels in batches:
        assert labels == [0] * half + [1] * half
        assert [number // 1000 for number in numbers] == labels


@pytest.mark.parametrize(("sizes", "larger"), [((24, 7), 0), ((7, 24), 1), ((24, 24), 0)])
def test_the_larger_class_is_shown_exactly_once(sizes: tuple[int, int], larger: int) -> None:
    numbers = shown(batches_of(sizes, 6), larger)
    assert sorted(numbers) == [larger * 1000 + number for number in range(24)]
    assert numbers != sorted(numbers)


def test_the_smaller_class_begins_anew_in_another_order() -> None:
    numbers = shown(batches_of((60, 20), 8), 1)
    assert len(numbers) == 60
    rounds = [numbers[start : start + 20] for start in (0, 20, 40)]
    for one in rounds:
        assert sorted(one) == list(range(1000, 1020))
    assert len({tuple(one) for one in rounds}) == 3


def test_a_class_that_does_not_fill_the_last_batch_is_shown_again_from_its_start() -> None:
    counts = Counter(shown(batches_of((7, 3), 4), 0))
    assert set(counts) == set(range(7))
    assert sorted(counts.values()) == [1, 1, 1, 1, 1, 1, 2]


def test_seed_and_epoch_give_the_order() -> None:
    first = batches_of((30, 10), 6, seed=1, epoch=2)
    assert batches_of((30, 10), 6, seed=1, epoch=2) == first
    assert batches_of((30, 10), 6, seed=1, epoch=3) != first
    assert batches_of((30, 10), 6, seed=2, epoch=2) != first


def test_classes_are_shuffled_apart() -> None:
    batches = batches_of((30, 30), 6)
    assert shown(batches, 0) != [number - 1000 for number in shown(batches, 1)]


def test_one_dataset_can_be_read_twice() -> None:
    classes = [numbered(label, 8) for label in (0, 1)]
    epoch = balanced_epoch(classes, (8, 8), 4, 1, 0)
    for _ in range(2):
        numbers = np.concatenate([numbers for numbers, _ in epoch.as_numpy_iterator()])
        assert sorted(numbers.tolist()) == [*range(8), *range(1000, 1008)]


def test_the_structure_of_elements_is_kept() -> None:
    def element(label: int) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            (
                {"features": tf.fill((4, 3), float(label)), "name": [f"{label}"] * 4},
                tf.fill((4,), tf.constant(label, tf.int64)),
            )
        )

    epoch = balanced_epoch([element(0), element(1)], (4, 4), 4, 1, 0)
    inputs, labels = next(iter(epoch))
    assert set(inputs) == {"features", "name"}
    np.testing.assert_array_equal(inputs["features"], np.repeat([[0.0], [1.0]], 2, 0) * np.ones(3))
    assert inputs["features"].dtype == tf.float32
    assert inputs["name"].numpy().tolist() == [b"0", b"0", b"1", b"1"]
    assert labels.dtype == tf.int64
    assert labels.numpy().tolist() == [0, 0, 1, 1]


def test_the_largest_seed_and_epoch_do_not_overflow() -> None:
    assert len(batches_of((4, 4), 4, seed=2**31 - 1, epoch=999)) == 2


def test_an_odd_batch_size_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"must be even .* not 5"):
        batches_of((4, 4), 5)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0)])
def test_a_class_without_films_is_an_error(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"a class has no films: \[\d, \d\]"):
        batches_of(sizes, 4)
