import numpy as np
import pytest
import tensorflow as tf

from components.trainer.rows import map_rows

PAIR = tf.TensorSpec([2], tf.float32)


def twice_and_half(row: tf.Tensor) -> tf.Tensor:
    number = tf.strings.to_number(row)
    return tf.stack([number * 2.0, number / 2.0])


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def mapped(rows: tf.Tensor) -> tf.Tensor:
    return map_rows(twice_and_half, rows, PAIR, "row {} is no number")


def test_every_row_goes_through_in_order() -> None:
    assert mapped.get_concrete_function().output_shapes.as_list() == [None, 2]
    rows = [str(number) for number in range(100)]
    wanted = [[number * 2.0, number / 2.0] for number in range(100)]
    np.testing.assert_array_equal(mapped(tf.constant(rows)), wanted)
    np.testing.assert_array_equal(mapped(tf.constant(rows[7:8])), wanted[7:8])


def test_no_rows_give_no_rows() -> None:
    found = mapped(tf.constant([], tf.string))
    assert found.dtype == tf.float32
    assert found.shape == (0, 2)


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (["x"], 0),
        (["x", "x", "x"], 0),
        (["1", "x"], 1),
        (["1", "2", "x", "3", "x"], 2),
        (["x", *["1"] * 40], 0),
        ([*["1"] * 40, "x"], 40),
    ],
)
def test_the_first_row_that_fails_is_named(rows: list[str], first: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\[row {first} is no number\]"):
        mapped(tf.constant(rows))


def test_a_row_of_another_shape_fails() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def letters(rows: tf.Tensor) -> tf.Tensor:
        return map_rows(tf.strings.bytes_split, rows, tf.TensorSpec([2], tf.string), "bad {}")

    assert letters(tf.constant(["ab", "cd"])).numpy().tolist() == [[b"a", b"b"], [b"c", b"d"]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad 1"):
        letters(tf.constant(["ab", "cde"]))
