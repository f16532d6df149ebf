"""The frozen part of the net as a function of constants, which oneDNN folds and fuses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

# TensorFlow has no public name for it.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

BFLOAT16 = "bfloat16"
# Convolutions and matrix products in bfloat16 on CPUs that have it; elsewhere nothing changes.
_REWRITER = "auto_mixed_precision_onednn_bfloat16"


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Computes in bfloat16 within the block, where the CPU can and `name` says so."""
    before = tf.config.optimizer.get_experimental_options().get(_REWRITER, False)
    tf.config.optimizer.set_experimental_options({_REWRITER: name == BFLOAT16})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_REWRITER: before})


def freeze(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what the model computes in inference mode, its weights as they are now.

    Args:
        model: of one input and one output.
    """
    spec = tf.TensorSpec(model.input_shape, tf.float32)
    forward = tf.function(lambda batch: model(batch, training=False), input_signature=[spec])
    constant = convert_variables_to_constants_v2(forward.get_concrete_function())

    def call(batch: tf.Tensor) -> tf.Tensor:
        output = constant(batch)[0]
        output.set_shape(model.output_shape)
        return output

    return call


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
