"""The frozen part of the net as a function of constants, which oneDNN folds and fuses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

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
