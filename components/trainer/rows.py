"""A function of each row of a batch, in a graph; an error says which row it is."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# At a time, whatever the batch: a film of 50 million pixels takes 0.6 GB as float32 RGB.
_ROWS_AT_ONCE = 2


def map_rows(
    function: Callable[[tf.Tensor], Any], rows: tf.Tensor, spec: Any, complaint: str
) -> Any:
    """Applies a function to each row.

    An op that fails does not say in which row of a loop, and no other op can look at its error. A
    dataset can leave out what fails: each row goes through it with its number, and a last one of
    the batch's size, so that the first gap in the numbers is the first row that failed.

    Args:
        function: from a string scalar to a tensor, or tensors, of `spec`; for a graph.
        rows: string [N].
        spec: shape and type of what the function returns, or of each that it does.
        complaint: what is said of the first row that the function fails for, with `{}` for its
            number.

    Returns:
        [N, *spec.shape], or each. In the graph, InvalidArgumentError with the complaint.
    """
    each = tf.nest.map_structure
    size = tf.size(rows, out_type=tf.int64)
    nothing = each(lambda one: tf.zeros(one.shape, one.dtype), spec)
    end = tf.data.Dataset.from_tensors((size, nothing))

    def numbered(number: tf.Tensor, row: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return number, each(lambda one, kind: tf.ensure_shape(one, kind.shape), function(row), spec)

    numbers, values = (
        tf.data.Dataset.from_tensor_slices(rows)
        .enumerate()
        .map(
            numbered,
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
        return each(lambda one: one[:-1], values)


def refuse(rows: tf.Tensor, refusals: tf.Tensor, argument: str) -> tf.Tensor:
    """Returns the rows where none is refused.

    Args:
        rows: [N, ...].
        refusals: string [N], why a row is refused; empty where it is not.
        argument: by which the client knows the rows.

    Returns:
        The rows. In the graph, InvalidArgumentError with the reason of the first that is refused.
    """
    numbers = tf.where(refusals != "")[:, 0]
    sentences = tf.strings.join(
        [f"{argument}[", tf.strings.as_string(numbers), "] ", tf.gather(refusals, numbers)]
    )
    message = tf.strings.reduce_join(sentences[:1])
    with tf.control_dependencies([tf.debugging.Assert(tf.size(numbers) == 0, [message])]):
        return tf.identity(rows)
