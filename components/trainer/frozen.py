"""The frozen part of the net as a function of constants, which oneDNN folds and fuses."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from absl import logging

FLOAT32, BFLOAT16, AUTO = "float32", "bfloat16", "auto"
# Convolutions and matrix products in bfloat16 on CPUs that have it; elsewhere nothing changes.
_REWRITER = "auto_mixed_precision_onednn_bfloat16"
# How the two are compared; a smaller gain is not worth the lost digits.
_ROUNDS, _CALLS, _CLEARLY = 3, 5, 0.85


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Computes in bfloat16 within the block, where the CPU can and `name` says so.

    Args:
        name: `float32`, `bfloat16`, or `auto`, which is whichever this machine computes faster.
    """
    name = resolved(name)
    before = tf.config.optimizer.get_experimental_options().get(_REWRITER, False)
    tf.config.optimizer.set_experimental_options({_REWRITER: name == BFLOAT16})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_REWRITER: before})


def resolved(name: str) -> str:
    """Returns `float32` or `bfloat16`: of `auto`, what this machine computes faster."""
    if name != AUTO:
        return name
    faster = faster_precision(_convolution_seconds)
    logging.info("This machine computes faster in %s", faster)
    return faster


def faster_precision(seconds: Callable[[], float]) -> str:
    """Returns `bfloat16` where it is clearly faster, else `float32`.

    Some processors that have it take longer with it: those whose bfloat16 instructions start half
    as often as their float32 ones, and those that only convert.

    Args:
        seconds: measures a fixed amount of work in the precision that is set when it is called.
    """
    taken: dict[str, list[float]] = {FLOAT32: [], BFLOAT16: []}
    for _ in range(_ROUNDS):  # in turns, so that a machine that slows down does so for both
        for name, measured in taken.items():
            with precision(name):
                measured.append(seconds())
    return BFLOAT16 if min(taken[BFLOAT16]) < _CLEARLY * min(taken[FLOAT32]) else FLOAT32


def _convolution_seconds() -> float:
    """Returns the seconds of a convolution as ResNet50 has them, without its first call."""
    pictures, kernel = tf.ones([8, 28, 28, 128]), np.ones([3, 3, 128, 128], np.float32)
    # A new function each time: TensorFlow rewrites a graph when it first runs.
    work = tf.function(lambda batch: tf.nn.conv2d(batch, kernel, 1, "SAME"), autograph=False)
    work(pictures)
    started = time.perf_counter()
    for _ in range(_CALLS):
        work(pictures).numpy()
    return time.perf_counter() - started


def freeze(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what the model computes in inference mode, its weights as they are now.

    Args:
        model: of one input and one output.
    """
    trainable = [np.asarray(weight) for weight in model.trainable_variables]
    others = [np.asarray(weight) for weight in model.non_trainable_variables]

    # The signature keeps an odd last batch from a second graph with all the constants.
    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)], autograph=False)
    def forward(batch: tf.Tensor) -> tf.Tensor:
        return model.stateless_call(trainable, others, batch, training=False)[0]

    return forward


class FrozenLayer(keras.layers.Layer):
    """A frozen model as a layer without weights, so that no checkpoint holds them."""

    def __init__(self, model: keras.Model) -> None:
        """Takes the model; later changes of its weights are not seen."""
        super().__init__(name="frozen", trainable=False)
        self._call = freeze(model)
        self.input_shape, self._output_shape = model.input_shape, model.output_shape

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Runs the model; no gradient passes."""
        return tf.stop_gradient(self._call(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the model's."""
        return self._output_shape
