from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.folding import fold

SIDE = 9
RNG = np.random.default_rng(3)
PICTURES = RNG.uniform(-1.0, 1.0, (4, SIDE, SIDE, 3)).astype(np.float32)


def far_from_its_start(net: keras.Model) -> keras.Model:
    """Gives every weight a value at which leaving any of them out would show."""
    rng = np.random.default_rng(1)
    net.set_weights([rng.uniform(0.2, 1.5, weight.shape) for weight in net.get_weights()])
    return net


def model(layers: Callable[[keras.KerasTensor], object], channels: int = 3) -> keras.Model:
    start = keras.Input((SIDE, SIDE, channels))
    return far_from_its_start(keras.Model(start, layers(start)))


def inferred(net: keras.Model) -> list[np.ndarray]:
    return [np.asarray(output) for output in tf.nest.flatten(net(PICTURES, training=False))]


def check_equal(folded: keras.Model, net: keras.Model) -> None:
    for found, wanted in zip(inferred(folded), inferred(net), strict=True):
        assert np.ptp(wanted) > 0.1
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def kinds(net: keras.Model) -> list[str]:
    """Layers by class, those within models too."""
    layers = net._flatten_layers(include_self=False)
    return [type(layer).__name__ for layer in layers if not isinstance(layer, keras.Model)]


def test_one_pair_by_hand() -> None:
    start = keras.Input((1, 1, 1))
    norm = keras.layers.BatchNormalization(epsilon=1.0)
    net = keras.Model(start, norm(keras.layers.Conv2D(1, 1)(start)))
    # Kernel 4, bias 5; scale 6, shift 7, mean 1, variance 8: (4 x + 5 - 1) / 3 * 6 + 7.
    net.set_weights([np.full((1, 1, 1, 1), 4.0), *np.array([[5.0], [6.0], [7.0], [1.0], [8.0]])])
    kernel, bias = fold(net).get_weights()
    assert kernel.item() == pytest.approx(8.0)
    assert bias.item() == pytest.approx(15.0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("center", [False, True])
def test_a_pair_becomes_one_convolution(bias: bool, scale: bool, center: bool) -> None:
    def layers(x: keras.KerasTensor) -> keras.KerasTensor:
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", use_bias=bias)(x)
        return keras.layers.BatchNormalization(scale=scale, center=center, axis=3)(x)

    net = model(layers)
    folded = fold(net)
    assert kinds(folded) == ["InputLayer", "Conv2D"]
    check_equal(folded, net)


def residual(x: keras.KerasTensor) -> keras.KerasTensor:
    """A block as ResNet has it, with a grouped convolution."""
    around = keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 1)(x))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 3, padding="same")(x))
    x = keras.layers.Conv2D(6, 3, padding="same", groups=2)(keras.layers.ReLU()(x))
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.Activation("tanh")(keras.layers.Add()([around, x]) / 50.0)


def test_models_within_models_are_folded() -> None:
    within = model(residual)
    sequence = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 6)),
            keras.layers.Conv2D(2, 1),
            keras.layers.BatchNormalization(),
        ]
    )
    net = model(lambda x: sequence(within(x / 2.0, training=False)))
    before = inferred(net)[0]
    folded = fold(net)
    assert "BatchNormalization" not in kinds(folded)
    assert kinds(folded).count("Conv2D") == kinds(net).count("Conv2D") == 4
    check_equal(folded, net)
    # The net itself is as it was, and a folded one can be folded again.
    np.testing.assert_array_equal(inferred(net)[0], before)
    assert kinds(net).count("BatchNormalization") == 4
    check_equal(fold(folded), net)


def used_twice(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    x = keras.layers.Conv2D(3, 1)(x)
    return [keras.layers.BatchNormalization()(x), x]


def called_twice(x: keras.KerasTensor) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(3, 1)
    return keras.layers.BatchNormalization()(convolution(convolution(x)))


def with_activation(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 1, activation="tanh")(x))


def of_another_axis(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(axis=1)(keras.layers.Conv2D(3, 1)(x))


def of_another_kind(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.BatchNormalization()(keras.layers.Conv2DTranspose(2, 3)(x))


def alone(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Conv2D(3, 1)(keras.layers.BatchNormalization()(x))


@pytest.mark.parametrize(
    "layers", [used_twice, called_twice, with_activation, of_another_axis, of_another_kind, alone]
)
def test_what_is_no_pair_stays(layers: Callable[[keras.KerasTensor], object]) -> None:
    net = model(layers)
    folded = fold(net)
    assert kinds(folded) == kinds(net)
    assert {id(weight) for weight in folded.weights} == {id(weight) for weight in net.weights}
    check_equal(folded, net)
