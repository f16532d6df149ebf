import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from components.progress import listen
from components.trainer.augment import augment, film_seed
from components.trainer.embeddings import Embeddings, embed
from components.trainer.films import Split, open_split
from components.trainer.settings import Augmentation, Settings
from films import encode, tiny_film

SIDE = 32
WIDTH = 5
STILL = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, False)
MOVING = Augmentation(10.0, 0.05, 0.1, 0.1, 0.1, False)


def settings(views: int | None = 2, augmentation: Augmentation = STILL) -> Settings:
    return Settings(
        backbone="none",
        input_size=SIDE,
        seed=4,
        epochs=1,
        batch_size=2,
        learning_rate=0.1,
        dense_units=2,
        dropout=0.5,
        patience=1,
        views=views,
        augmentation=augmentation,
        work_dir="",
    )


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    keras.utils.set_random_seed(1)
    grey = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(WIDTH, 5, strides=2, activation="leaky_relu")(grey)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(grey, keras.layers.GlobalAveragePooling2D()(x))


def film(number: int, folder: str) -> np.ndarray:
    return cv2.resize(tiny_film(number + 1000 * (folder == "eval")), (SIDE, SIDE))


def name_of(number: int, folder: str) -> str:
    return f"{folder}/{number}.jpeg"


def write_split(path: Path, labels: list[int], shards: int) -> Split:
    """Writes the films of a split as Transform does, in files of consecutive films."""
    path.mkdir()
    numbers = np.array_split(np.arange(len(labels)), shards)
    for shard, rows in enumerate(numbers):
        name = str(path / f"transformed_examples-{shard:05d}-of-{shards:05d}.gz")
        with tf.io.TFRecordWriter(name, "GZIP") as writer:
            for row in rows.tolist():
                png = encode(film(row, path.name), ".png")
                values = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[png])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[labels[row]])),
                    "file_name": tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[name_of(row, path.name).encode()])
                    ),
                }
                example = tf.train.Example(features=tf.train.Features(feature=values))
                writer.write(example.SerializeToString())
    return open_split([f"{path}/*"])


# More than two batches of 32, the last one short.
TRAIN_LABELS = [int(number % 3 > 0) for number in range(70)]
EVAL_LABELS = [1, 0, 0, 1, 1]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return write_split(tmp_path_factory.mktemp("splits") / "train", TRAIN_LABELS, shards=3)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return write_split(tmp_path_factory.mktemp("splits") / "eval", EVAL_LABELS, shards=1)


def forward(backbone: keras.Model, pictures: list[np.ndarray]) -> np.ndarray:
    """One film at a time."""
    return np.concatenate(
        [np.asarray(backbone(p.reshape(1, SIDE, SIDE, 1), training=False)) for p in pictures]
    )


def test_a_split_is_read_in_the_order_of_its_files(train: Split, evaluation: Split) -> None:
    assert len(train.files) == 3
    assert train.labels.tolist() == TRAIN_LABELS
    assert train.labels.dtype == np.int64
    assert evaluation.labels.tolist() == EVAL_LABELS
    empty = open_split(["/nowhere/*"])
    assert empty.files == []
    assert empty.labels.shape == (0,)


def test_features_equal_a_direct_pass(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = Embeddings(backbone, train, evaluation, settings(), str(tmp_path))
    expected = forward(backbone, [film(n, "train").astype(np.float32) for n in range(70)])
    assert expected.std(axis=0).min() > 0
    assert len(found.views) == 2
    for view in found.views:
        assert view.dtype == np.float32
        np.testing.assert_allclose(view, expected, rtol=1e-4)
    expected = forward(backbone, [film(n, "eval").astype(np.float32) for n in range(5)])
    np.testing.assert_allclose(found.eval_features, expected, rtol=1e-4)
    assert found.labels.tolist() == TRAIN_LABELS
    assert found.eval_labels.tolist() == EVAL_LABELS
    assert found.sizes() == [24, 46]


def test_a_view_is_the_film_augmented_by_its_name_and_the_views_number(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = Embeddings(backbone, train, evaluation, settings(3, MOVING), str(tmp_path))
    assert len(found.views) == 3
    for number, view in enumerate(found.views):
        pictures = [
            augment(
                tf.constant(film(row, "train"), tf.float32)[..., tf.newaxis],
                film_seed(tf.constant(name_of(row, "train")), number, 4),
                MOVING,
            ).numpy()
            for row in range(70)
        ]
        np.testing.assert_allclose(view, forward(backbone, pictures), rtol=1e-4)
    # The eval split is never changed.
    expected = forward(backbone, [film(n, "eval").astype(np.float32) for n in range(5)])
    np.testing.assert_allclose(found.eval_features, expected, rtol=1e-4)


@pytest.mark.parametrize("views", [1, 4])
def test_one_file_a_view_and_one_for_eval(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path, views: int
) -> None:
    Embeddings(backbone, train, evaluation, settings(views), str(tmp_path))
    names = {f"train-view-{view}.npy" for view in range(views)} | {"eval.npy"}
    assert {path.name for path in tmp_path.iterdir()} == names | {f"{n}.json" for n in names}


def test_a_second_run_reads_the_files_and_leaves_the_net_alone(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    first = Embeddings(backbone, train, evaluation, settings(), str(tmp_path))
    seconds = sum(json.loads(note.read_text()) for note in tmp_path.glob("*.npy.json"))
    assert first.seconds == pytest.approx(seconds)
    assert seconds > 0
    nobody: keras.Model = None
    second = Embeddings(nobody, train, evaluation, settings(), str(tmp_path))
    assert second.seconds == pytest.approx(seconds)
    for one, other in zip(first.views, second.views, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.eval_features, second.eval_features)


def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    first = Embeddings(backbone, train, evaluation, settings(2, MOVING), str(tmp_path))
    expected = np.array(first.views[1])
    kept = tmp_path / "train-view-0.npy"
    before = kept.stat().st_mtime_ns
    (tmp_path / "train-view-1.npy").unlink()
    second = Embeddings(backbone, train, evaluation, settings(2, MOVING), str(tmp_path))
    np.testing.assert_array_equal(second.views[1], expected)
    assert kept.stat().st_mtime_ns == before


def pictures_then(error: Exception | None, number: int) -> tf.data.Dataset:
    def generate() -> Iterator[tuple[np.ndarray, float]]:
        for row in range(number):
            if error is not None and row == number - 1:
                raise error
            yield film(row, "train")[..., np.newaxis].astype(np.float32), 0.0

    return tf.data.Dataset.from_generator(
        generate,
        output_signature=(tf.TensorSpec((SIDE, SIDE, 1)), tf.TensorSpec(())),
    )


def test_the_file_appears_whole_or_not_at_all(backbone: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "view.npy"
    with pytest.raises(tf.errors.UnknownError, match="the disk is gone"):
        embed(backbone, pictures_then(OSError("the disk is gone"), 40), 40, str(path), "test")
    assert not path.exists()
    features = embed(backbone, pictures_then(None, 40), 40, str(path), "test")
    expected = forward(backbone, [film(n, "train").astype(np.float32) for n in range(40)])
    np.testing.assert_allclose(features, expected, rtol=1e-4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.npy"]


def test_features_are_mapped_and_not_read(backbone: keras.Model, tmp_path: Path) -> None:
    features = embed(backbone, pictures_then(None, 3), 3, str(tmp_path / "view.npy"), "test")
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable


def test_progress_adds_up(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    reports: list[tuple[str, int, int | None]] = []
    with listen(lambda task, done, total: reports.append((task, done, total))):
        Embeddings(backbone, train, evaluation, settings(), str(tmp_path))
    assert {task for task, _, _ in reports} == {"Running the frozen net"}
    assert [total for _, _, total in reports if total is not None] == [2 * 70 + 5]
    assert sum(done for _, done, _ in reports) == 2 * 70 + 5


@pytest.mark.parametrize("label", [0, 1])
def test_a_class_in_the_view_of_the_epoch(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path, label: int
) -> None:
    found = Embeddings(backbone, train, evaluation, settings(2, MOVING), str(tmp_path))
    assert not np.allclose(found.views[0], found.views[1], rtol=1e-3)
    rows = [row for row, given in enumerate(TRAIN_LABELS) if given == label]
    for epoch, view in ((0, 0), (1, 1), (2, 0), (5, 1)):
        elements = found.of_class(label, epoch)
        assert elements.element_spec == (tf.TensorSpec((WIDTH,)), tf.TensorSpec(()))
        features, labels = zip(*elements.as_numpy_iterator(), strict=True)
        np.testing.assert_array_equal(np.stack(features), found.views[view][rows])
        assert set(labels) == {float(label)}
