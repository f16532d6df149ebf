"""Batch normalisation as part of the convolutions before it, in a net that is no longer trained."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np


def fold(net: keras.Model) -> keras.Model:
    """Returns a model that infers what `net` does, up to rounding, in fewer steps.

    A BatchNormalization that alone follows a Conv2D becomes part of its kernel and bias, in models
    that serve as layers too. All other layers are shared with `net`, which infers as before.
    """
    graph = net._functional if isinstance(net, keras.Sequential) else net
    if not hasattr(graph, "_nodes_by_depth"):  # a class of its own, into which nobody can look
        return net
    swapped: dict[int, Callable[..., Any]] = {}
    for convolution, norm in _pairs(graph):
        swapped[id(convolution)], swapped[id(norm)] = _folded(convolution, norm), _skip

    def replace(layer: Callable[..., Any]) -> Callable[..., Any]:
        return fold(layer) if isinstance(layer, keras.Model) else swapped.get(id(layer), layer)

    return keras.models.clone_model(graph, clone_function=replace)


def _pairs(
    graph: keras.Model,
) -> Iterator[tuple[keras.layers.Conv2D, keras.layers.BatchNormalization]]:
    """Yields the convolutions that a normalisation alone follows, and that."""
    nodes = list(chain(*graph._nodes_by_depth.values()))
    calls = Counter(id(node.operation) for node in nodes)
    uses = Counter(id(tensor) for tensor in chain(graph.outputs, *(n.input_tensors for n in nodes)))
    for node in nodes:
        norm = node.operation
        if type(norm) is not keras.layers.BatchNormalization:
            continue
        (between,) = node.input_tensors
        before = between._keras_history.operation
        if (
            type(before) is keras.layers.Conv2D
            and before.activation is keras.activations.linear
            and before.data_format == "channels_last"
            and norm.axis in (-1, 3)
            and uses[id(between)] == calls[id(before)] == calls[id(norm)] == 1
        ):
            yield before, norm


def _folded(
    convolution: keras.layers.Conv2D, norm: keras.layers.BatchNormalization
) -> keras.layers.Conv2D:
    """Returns both as one convolution."""
    scale = 1.0 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    scale *= np.asarray(norm.gamma) if norm.scale else 1.0
    shift = np.asarray(convolution.bias) if convolution.use_bias else 0.0
    shift = (shift - np.asarray(norm.moving_mean)) * scale
    shift += np.asarray(norm.beta) if norm.center else 0.0
    layer = keras.layers.Conv2D.from_config({**convolution.get_config(), "use_bias": True})
    layer.build_from_config(convolution.get_build_config())
    layer.set_weights([np.asarray(convolution.kernel) * scale.astype(np.float32), shift])
    return layer


def _skip(inputs: keras.KerasTensor, **_: object) -> keras.KerasTensor:
    """Stands where a normalisation was."""
    return inputs
