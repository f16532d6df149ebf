import math

import keras
import numpy as np
import pytest

from bench.variants import averaged, main, smoothed_loss
from components.trainer.settings import Augmentation, Settings

SETTINGS = Settings(
    backbone="none",
    input_size=32,
    seed=1,
    epochs=3,
    batch_size=4,
    learning_rate=0.5,
    dense_units=None,
    dropout=0.0,
    patience=1,
    views=None,
    augmentation=Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, False),
    work_dir="",
)


def test_smoothing_by_hand() -> None:
    # Probabilities 1/2, 1/4, 1/4; the target is the first, then either of the others.
    logits = np.log([[2.0, 1.0, 1.0]] * 2).astype(np.float32)
    target = np.array([[1, 0, 0], [0, 1, 1]], np.float32)
    everywhere = (math.log(2) + 2 * math.log(4)) / 3
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(smoothed_loss(target, logits)),
        [0.9 * math.log(2) + 0.1 * everywhere] * 2,
        rtol=1e-6,
    )


def test_smoothing_of_one_logit_is_keras_own() -> None:
    logits = np.array([[2.0], [-1.0], [0.0]], np.float32)
    target = np.array([[1.0], [1.0], [0.0]], np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(smoothed_loss(target, logits)),
        keras.losses.binary_crossentropy(target, logits, from_logits=True, label_smoothing=0.1),
        rtol=1e-5,
    )


def test_the_average_takes_the_weights_place_at_the_end_of_each_epoch() -> None:
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    net = averaged(net, SETTINGS, steps=6)
    (weight,) = net.trainable_variables
    weight.assign([[0.0]])
    net.optimizer.build([weight])
    seen = []
    for _ in range(2):
        net.optimizer.apply([np.array([[1.0]], np.float32)], [weight])
        seen.append(float(keras.ops.convert_to_numpy(weight)[0, 0]))
    # Adam's steps are of the learning rate. The average starts at the first step's weight.
    assert seen[0] == pytest.approx(-0.5, abs=1e-4)
    assert seen[1] == pytest.approx(0.99 * -0.5 + 0.01 * -1.0, abs=1e-4)


def test_an_unknown_variant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["variants", "larger"])
        assert main() == 2
    assert "'larger' is no variant: label-smoothing, weight-averaging" in capsys.readouterr().err
