"""A function of each row of a batch, in a graph; an error says which row it is."""

from collections.abc import Callable

import tensorflow as tf

# At a time, whatever the batch: a film of 50 million pixels takes 0.6 GB as float32 RGB.
_ROWS_AT_ONCE = 2


def map_rows(
    function: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor, spec: tf.TensorSpec, complaint: str
) -> tf.Tensor:
    """Applies a function to each row.

    An op that fails does not say in which row of a loop, and no other op can look at its error. A
    dataset can leave out what fails: each row goes through it with its number, and a last one of
    the batch's size, so that the first gap in the numbers is the first row that failed.

    Args:
        function: from a string scalar to a tensor of `spec`; for a graph.
        rows: string [N].
        spec: shape and type of what the function returns.
        complaint: what is said of the first row that the function fails for, with `{}` for its
            number.

    Returns:
        [N, *spec.shape]. In the graph, InvalidArgumentError with the complaint.
    """
    size = tf.size(rows, out_type=tf.int64)
    end = tf.data.Dataset.from_tensors((size, tf.zeros(spec.shape, spec.dtype)))
    numbers, values = (
        tf.data.Dataset.from_tensor_slices(rows)
        .enumerate()
        .map(
            lambda number, row: (number, tf.ensure_shape(function(row), spec.shape)),
            num_parallel_calls=_ROWS_AT_ONCE,
            deterministic=True,
        )
        .ignore_errors()
        .concatenate(end)
        .batch(size + 1)
        .get_single_element()
    )
    in_place = numbers == tf.range(tf.size(numbers, out_type=tf.int64))
    first = tf.math.count_nonzero(in_place)
    message = tf.strings.format(complaint, first)
    with tf.control_dependencies([tf.debugging.Assert(first > size, [message])]):
        return values[:-1]
