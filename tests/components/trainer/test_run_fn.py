"""What one epoch of the Trainer shows to the net."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.shared.record import encode
from components.trainer import run_fn
from components.trainer.films import Split, open_split
from components.trainer.run_fn import Training
from components.trainer.settings import Augmentation, RunSettings
from support import films
from support.tiny_training import SETTINGS, STILL

SIDE = SETTINGS.input_size
# New views in every epoch, of a net that is tuned.
TUNED = SETTINGS.changed(views=None, fine_tune="second", batch_size=2)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("net") / "net.keras")
    colour = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, 5, strides=2, name="first")(colour)
    keras.Model(colour, keras.layers.Conv2D(3, 3, name="second")(x), name="resnet50").save(path)
    return path


def split(folder: Path, number: int) -> Split:
    """As many films of each class, as Transform writes them."""
    path = str(folder / f"{number}.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for row in range(2 * number):
            label = row % 2
            film = films.tiny_film(row, pneumonia=bool(label), height=SIDE, width=SIDE)
            writer.write(
                encode(
                    {
                        "image": films.encode(film, ".png"),
                        "label": label,
                        "subtype": ("normal", "virus")[label],
                        "file_name": f"train/{row}.png",
                        "squashed": (1.21, 1.0)[label],
                    }
                )
            )
    return open_split([path])


def training(
    folder: Path, backbone: str, settings: RunSettings, number: int = 1, **changes: Any
) -> Training:
    films_of_train = split(folder, number)
    settings = settings.changed(backbone=backbone, **changes)
    return Training(settings, films_of_train, films_of_train, str(folder))


def pictures(trained: Training, epoch: int) -> np.ndarray:
    """The first batch of an epoch; the order also follows from TensorFlow's own seed."""
    tf.random.set_seed(0)
    return np.asarray(next(iter(trained._batches(epoch, None)))[0])


def test_every_epoch_shows_another_view_and_the_seed_says_which(
    tmp_path: Path, backbone: str
) -> None:
    moving = Augmentation(flip=False)
    trained = training(tmp_path, backbone, TUNED, augmentation=moving)
    first = pictures(trained, 0)
    np.testing.assert_array_equal(pictures(trained, 0), first)
    # One film of each class, so that the order is the same.
    assert np.abs(pictures(trained, 1) - first).mean() > 1.0
    other = training(tmp_path, backbone, TUNED, augmentation=moving, seed=4)
    assert np.abs(pictures(other, 0) - first).mean() > 1.0


def test_each_film_is_evened_by_its_class(
    tmp_path: Path, backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def augment(pictures: tf.Tensor, draws: tf.Tensor, wider: tf.Tensor, *_: object) -> tf.Tensor:
        return wider

    monkeypatch.setattr(run_fn, "augment", augment)
    moving = Augmentation(min_area=0.5, even_shapes=True)
    trained = training(tmp_path, backbone, TUNED, 2, batch_size=4, augmentation=moving)
    wider, target = next(iter(trained._batches(0, None)))
    # Half of the log of 1.21 to either side: normal films, which were squashed, are cut narrower.
    normal = math.log(1.1)
    expected = [normal if label else -normal for label in np.ravel(target).tolist()]
    assert sorted(expected) == pytest.approx([-normal, -normal, normal, normal])
    np.testing.assert_allclose(wider, expected, rtol=1e-5)


def test_the_order_of_the_films_follows_from_the_seed(tmp_path: Path, backbone: str) -> None:
    how = TUNED.changed(batch_size=16, augmentation=STILL)
    first = pictures(training(tmp_path, backbone, how, 8), 0)
    np.testing.assert_array_equal(pictures(training(tmp_path, backbone, how, 8), 0), first)
    assert np.abs(pictures(training(tmp_path, backbone, how, 8, seed=4), 0) - first).mean() > 1.0


def test_random_weights_follow_from_the_seed_of_the_run(
    tmp_path: Path, backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = []
    build = run_fn.build_backbone

    def note(name: str, size: int, seed: int, fine_tune: str | None) -> object:
        seeds.append(seed)
        return build(name, size, seed, fine_tune)

    monkeypatch.setattr(run_fn, "build_backbone", note)
    training(tmp_path, backbone, TUNED, seed=17)
    assert seeds == [17]


def test_views_are_of_the_size_that_is_set(tmp_path: Path, backbone: str) -> None:
    # Their sides are no less than 32 pixels.
    trained = training(tmp_path, backbone, TUNED.changed(crop=0.75, train_size=40))
    assert pictures(trained, 0).shape == (2, 40, 40, 1)
    whole = training(tmp_path, backbone, TUNED.changed(crop=0.75))
    assert pictures(whole, 0).shape == (2, 24, 24, 1)


def test_a_frozen_nets_views_are_shown_in_turn(tmp_path: Path, backbone: str) -> None:
    asked = []

    class Kept:
        def fetch(self, epoch: int) -> Any:
            asked.append(epoch)
            return lambda row: tf.cast(row, tf.float32)[tf.newaxis]

    trained = training(tmp_path, backbone, SETTINGS.changed(batch_size=2))
    for epoch in (0, 3):
        trained._batches(epoch, Kept())  # type: ignore[arg-type]
    assert asked == [0, 3]
