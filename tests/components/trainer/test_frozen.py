from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer import frozen
from components.trainer.frozen import FrozenLayer, faster_precision, freeze, precision

SIDE = 12
OPTION = "auto_mixed_precision_onednn_bfloat16"


def build_net(seed: int = 1) -> keras.Model:
    """Convolution, BatchNorm away from its start, Dropout: what differs between the modes."""
    keras.utils.set_random_seed(seed)
    grey = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(grey)
    norm = keras.layers.BatchNormalization()
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(norm(x)))
    net = keras.Model(grey, keras.layers.Conv2D(3, 3, activation="tanh")(x))
    away = [[2.0, 0.5, 1.0, 3.0], [0.1] * 4, [0.3, -0.2, 0.1, 0.0], [0.5, 2.0, 1.0, 4.0]]
    norm.set_weights([np.array(values) for values in away])
    return net


@pytest.fixture(scope="module")
def net() -> keras.Model:
    return build_net()


def pictures(number: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(0.0, 2.0, (number, SIDE, SIDE, 1))
    return values.astype(np.float32)


@pytest.mark.parametrize("number", [1, 5])
def test_a_frozen_net_computes_what_the_net_does(net: keras.Model, number: int) -> None:
    expected = np.asarray(net(pictures(number), training=False))
    found = freeze(net)(tf.constant(pictures(number)))
    assert found.dtype == tf.float32
    assert found.shape == (number, 4, 4, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.std() > 0.1


def test_a_frozen_net_keeps_the_weights_of_its_moment() -> None:
    net = build_net()
    call = freeze(net)
    batch = tf.constant(pictures(3))
    before = call(batch).numpy()
    net.set_weights([weight + 0.5 for weight in net.get_weights()])
    assert np.abs(np.asarray(net(batch, training=False)) - before).max() > 0.1
    np.testing.assert_array_equal(call(batch), before)


def test_the_shape_is_known_where_the_batch_is_not(net: keras.Model) -> None:
    call = freeze(net)
    traced = tf.function(call, input_signature=[tf.TensorSpec((None, SIDE, SIDE, 1))])
    shape = traced.get_concrete_function().output_shapes
    assert shape.as_list() == [None, 4, 4, 3]
    np.testing.assert_allclose(
        traced(pictures(2)), np.asarray(net(pictures(2), training=False)), atol=1e-5
    )


def test_a_frozen_layer_has_no_weights(net: keras.Model) -> None:
    layer = FrozenLayer(net)
    start = keras.Input((SIDE, SIDE, 1))
    model = keras.Model(start, keras.layers.Flatten()(layer(start)))
    assert layer.variables == []
    assert model.variables == []
    assert layer.input_shape == (None, SIDE, SIDE, 1)
    assert model.output_shape == (None, 48)
    expected = np.asarray(net(pictures(3), training=False)).reshape(3, -1)
    for training in (False, True):
        np.testing.assert_allclose(model(pictures(3), training=training), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(pictures(3), verbose=0), expected, atol=1e-5)


def test_no_gradient_passes_a_frozen_layer(net: keras.Model) -> None:
    layer = FrozenLayer(net)
    batch = tf.constant(pictures(2))
    factor = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        total = tf.reduce_sum(factor * layer(batch))
    to_factor, to_batch = tape.gradient(total, [factor, batch])
    assert to_batch is None
    assert float(to_factor) == pytest.approx(float(total) / 2.0, rel=1e-5)


def test_training_above_a_frozen_layer_leaves_the_net_alone(net: keras.Model) -> None:
    before = [np.array(weight) for weight in net.get_weights()]
    start = keras.Input((SIDE, SIDE, 1))
    dense = keras.layers.Dense(1)
    model = keras.Model(start, dense(keras.layers.Flatten()(FrozenLayer(net)(start))))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel = np.array(dense.kernel)
    model.fit(pictures(4), np.arange(4.0), epochs=1, batch_size=2, verbose=0)
    assert np.abs(np.array(dense.kernel) - kernel).max() > 1e-3
    assert len(model.trainable_variables) == len(model.variables) == 2
    for weight, old in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def option() -> bool | None:
    found = tf.config.optimizer.get_experimental_options().get(OPTION)
    return None if found is None else bool(found)


@pytest.fixture(autouse=True)
def unset() -> Iterator[None]:
    """Every test begins without bfloat16, and leaves none behind."""
    tf.config.optimizer.set_experimental_options({OPTION: False})
    yield
    tf.config.optimizer.set_experimental_options({OPTION: False})


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(("name", "within"), [("bfloat16", True), ("float32", False)])
def test_the_precision_is_of_the_block(before: bool, name: str, within: bool) -> None:
    tf.config.optimizer.set_experimental_options({OPTION: before})
    with precision(name):
        assert option() is within
    assert option() is before


@pytest.mark.parametrize(
    ("float32", "bfloat16", "chosen"),
    [
        ([1.0, 1.0, 1.0], [0.5, 0.5, 0.5], "bfloat16"),
        ([1.0, 1.0, 1.0], [1.6, 1.5, 1.7], "float32"),
        # A little faster is not worth it, and one slow round says nothing.
        ([1.0, 1.0, 1.0], [0.9, 0.9, 0.9], "float32"),
        ([9.0, 1.0, 9.0], [1.1, 1.0, 1.1], "float32"),
        ([1.0, 1.0, 1.0], [9.0, 0.5, 9.0], "bfloat16"),
    ],
)
def test_the_precision_is_the_faster_one(
    float32: list[float], bfloat16: list[float], chosen: str
) -> None:
    left = {True: list(bfloat16), False: list(float32)}
    assert faster_precision(lambda: left[bool(option())].pop(0)) == chosen
    assert left == {True: [], False: []}
    assert option() is False


def test_auto_is_what_this_machine_computes_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (0.1, 2.0):
        monkeypatch.setattr(
            frozen, "_convolution_seconds", lambda seconds=seconds: seconds if option() else 1.0
        )
        with precision("auto"):
            assert option() is (seconds < 1.0)
        assert option() is False


def test_the_work_that_is_timed_takes_time() -> None:
    assert 0.0 < frozen._convolution_seconds() < 60.0


def test_the_precision_comes_back_after_an_error() -> None:
    with pytest.raises(KeyError), precision("bfloat16"):
        raise KeyError
    assert option() is False


def test_other_options_stay_as_they_are() -> None:
    before = dict(tf.config.optimizer.get_experimental_options())
    with precision("bfloat16"):
        within = dict(tf.config.optimizer.get_experimental_options())
    assert {**within, OPTION: False} == {**before, OPTION: False}


def test_bfloat16_is_close_to_float32(net: keras.Model) -> None:
    # Eight bits of mantissa, or all of them where the CPU has no bfloat16.
    expected = np.asarray(net(pictures(4), training=False))
    with precision(frozen.BFLOAT16):
        found = freeze(net)(tf.constant(pictures(4))).numpy()
    np.testing.assert_allclose(found, expected, atol=0.05)
    np.testing.assert_allclose(freeze(net)(tf.constant(pictures(4))), expected, atol=1e-5)
