import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer import run_fn
from components.trainer.films import Split
from components.trainer.settings import Augmentation
from support.films import encode, tiny_film
from support.tiny_training import SETTINGS

SIDE = 32


def split(path: Path, labels: list[int], squashed: list[float]) -> Split:
    """Films as Transform writes them, each squashed as it is said."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in range(len(labels)):
            png = encode(tiny_film(row)[:SIDE, :SIDE], ".png")
            features = {"image": png, "file_name": str(row).encode()}
            example = tf.train.Example()
            for name, value in features.items():
                example.features.feature[name].bytes_list.value.append(value)
            writer.write(example.SerializeToString())
    subtypes = ["bacteria" if label else "normal" for label in labels]
    return Split([str(path)], np.array(labels), subtypes, np.array(squashed, np.float32))


def test_each_film_is_evened_by_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour = keras.Input((SIDE, SIDE, 3))
    net = keras.layers.Conv2D(4, 3, strides=2, name="first")(colour)
    keras.Model(colour, keras.layers.ReLU()(net)).save(tmp_path / "net.keras")
    labels, squashed = [0, 1, 1, 0], [1.21, 1.0, 1.0, 1.21]
    films = split(tmp_path / "films", labels, squashed)
    settings = SETTINGS.changed(
        backbone=str(tmp_path / "net.keras"),
        input_size=SIDE,
        views=None,
        fine_tune="first",
        batch_size=4,
        augmentation=Augmentation(min_area=0.5, even_shapes=True),
    )
    given = []

    def augment(pictures: tf.Tensor, draws: tf.Tensor, wider: tf.Tensor, *_: object) -> tf.Tensor:
        given.append(wider)
        return wider

    monkeypatch.setattr(run_fn, "augment", augment)
    training = run_fn.Training(settings, films, films, str(tmp_path))
    (batch,) = training._batches(0, None)
    wider, target = batch
    normal = math.log(1.1)
    expected = [-normal if label == 0 else normal for label in np.ravel(target).tolist()]
    np.testing.assert_allclose(wider, expected, rtol=1e-5)
    assert len(expected) == 4
    assert len(given) == 1
