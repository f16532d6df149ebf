import json
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from components.shared.progress import listen
from components.trainer.augment import DRAWS, augment, draw_view
from components.trainer.embeddings import Embeddings, embed, views
from components.trainer.films import Split, open_split, read_view, records
from components.trainer.settings import Augmentation, RunSettings
from support.films import encode, tiny_film
from support.tiny_training import STILL

SIDE = 32
# Of the middle that the net sees: three rows are left out before it, and four after.
NET_SIDE = 25
WIDTH = 5
MOVING = Augmentation(min_area=0.5, even_shapes=True)
# Of normal films and of pneumonias.
SQUASHED = (1.0, 1.44)


def settings(
    views: int | None = 2, augmentation: Augmentation = STILL, crop: float = NET_SIDE / SIDE
) -> RunSettings:
    return RunSettings(
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
        crop=crop,
    )


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    keras.utils.set_random_seed(1)
    grey = keras.Input((NET_SIDE, NET_SIDE, 1))
    x = keras.layers.Conv2D(WIDTH, 5, strides=2, activation="leaky_relu")(grey)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(grey, keras.layers.GlobalAveragePooling2D()(x))


def film(number: int, folder: str) -> np.ndarray:
    return cv2.resize(tiny_film(number + 1000 * (folder == "eval")), (SIDE, SIDE))


def seen(number: int, folder: str) -> np.ndarray:
    """What the net sees of a film that nothing changes."""
    return film(number, folder)[3:28, 3:28].astype(np.float32)


def name_of(number: int, folder: str) -> str:
    return f"{folder}/{number}.jpeg"


def bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def subtype_of(number: int, label: int) -> str:
    return ("bacteria", "virus", "unknown")[number % 3] if label else "normal"


def write_split(path: Path, labels: list[int], shards: int) -> Split:
    """Writes the films of a split as Transform does, in files of consecutive films."""
    path.mkdir()
    numbers = np.array_split(np.arange(len(labels)), shards)
    for shard, rows in enumerate(numbers):
        name = str(path / f"transformed_examples-{shard:05d}-of-{shards:05d}.gz")
        with tf.io.TFRecordWriter(name, "GZIP") as writer:
            for row in rows.tolist():
                png = encode(film(row, path.name), ".png")
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[labels[row]]))
                values = {
                    "image": bytes_feature(png),
                    "label": label,
                    "subtype": bytes_feature(subtype_of(row, labels[row]).encode()),
                    "file_name": bytes_feature(name_of(row, path.name).encode()),
                    "squashed": tf.train.Feature(
                        float_list=tf.train.FloatList(value=[SQUASHED[labels[row]]])
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
        [
            np.asarray(backbone(p.reshape(1, NET_SIDE, NET_SIDE, 1), training=False))
            for p in pictures
        ]
    )


def run(
    net: keras.Model,
    train: Split,
    evaluation: Split,
    folder: Path,
    given: RunSettings | None = None,
) -> Embeddings:
    return Embeddings(net, (WIDTH,), train, evaluation, given or settings(), str(folder))


def test_a_split_is_read_in_the_order_of_its_files(train: Split, evaluation: Split) -> None:
    assert len(train.files) == 3
    assert train.labels.tolist() == TRAIN_LABELS
    assert train.labels.dtype == np.int64
    assert list(train.subtypes) == [subtype_of(n, label) for n, label in enumerate(TRAIN_LABELS)]
    assert evaluation.labels.tolist() == EVAL_LABELS
    assert list(evaluation.subtypes) == ["bacteria", "normal", "normal", "bacteria", "virus"]
    empty = open_split(["/nowhere/*"])
    assert empty.files == []
    assert empty.labels.shape == (0,)
    assert list(empty.subtypes) == []


def file_names(found: tf.data.Dataset) -> list[tuple[int, str]]:
    rows = []
    for row, record in found.as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        rows.append((int(row), feature["file_name"].bytes_list.value[0].decode()))
    return rows


@pytest.mark.parametrize("rows", [None, [], [0], [69], [60, 3, 24, 25]])
def test_records_are_numbered_in_the_order_of_the_split(
    train: Split, rows: list[int] | None
) -> None:
    found = records(train, None if rows is None else np.array(rows, np.int64))
    assert found.element_spec[0].dtype == tf.int64
    wanted = sorted(range(70) if rows is None else rows)
    # Twice, as training reads them once an epoch.
    for _ in range(2):
        assert file_names(found) == [(row, f"train/{row}.jpeg") for row in wanted]


def test_a_view_is_read_as_picture_and_draws(train: Split) -> None:
    for row, record in records(train, np.array([4, 33])):
        picture, draws = read_view(record, 6, 9, SIDE)
        assert picture.dtype == tf.float32
        expected = film(int(row), "train")[..., np.newaxis]
        np.testing.assert_array_equal(picture, expected.astype(np.float32))
        wanted = draw_view(tf.constant(name_of(int(row), "train")), 6, 9)
        np.testing.assert_array_equal(draws, wanted)


def test_shapes_of_a_view_are_known_beforehand(train: Split) -> None:
    read = records(train).map(lambda _, record: read_view(record, 0, 1, SIDE))
    picture, draws = read.element_spec
    assert picture == tf.TensorSpec((SIDE, SIDE, 1))
    assert draws == tf.TensorSpec((DRAWS,))


@pytest.mark.parametrize("view", [None, 0])
def test_views_are_batches_of_what_the_net_sees(train: Split, view: int | None) -> None:
    batches = list(views(train, settings(), view).as_numpy_iterator())
    shape = (NET_SIDE, NET_SIDE, 1)
    assert [batch.shape for batch in batches] == [(32, *shape), (32, *shape), (6, *shape)]
    expected = np.stack([seen(row, "train") for row in range(70)])[..., np.newaxis]
    np.testing.assert_allclose(np.concatenate(batches), expected, atol=1e-3)


def test_views_of_a_net_that_sees_the_whole_picture(evaluation: Split) -> None:
    (batch,) = views(evaluation, settings(crop=1.0), None).as_numpy_iterator()
    expected = np.stack([film(row, "eval") for row in range(5)])[..., np.newaxis]
    np.testing.assert_array_equal(batch, expected.astype(np.float32))


def test_features_equal_a_direct_pass(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = run(backbone, train, evaluation, tmp_path)
    expected = forward(backbone, [seen(n, "train") for n in range(70)])
    assert expected.std(axis=0).min() > 0
    assert len(found.views) == 2
    for view in found.views:
        assert view.dtype == np.float32
        np.testing.assert_allclose(view, expected, rtol=1e-4)
    expected = forward(backbone, [seen(n, "eval") for n in range(5)])
    np.testing.assert_allclose(found.evaluation, expected, rtol=1e-4)


def test_a_view_is_the_film_augmented_by_its_name_and_the_views_number(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = run(backbone, train, evaluation, tmp_path, settings(3, MOVING))
    assert len(found.views) == 3
    for number, view in enumerate(found.views):
        names = [name_of(row, "train") for row in range(70)]
        draws = tf.stack([draw_view(tf.constant(name), number, 4) for name in names])
        films = np.stack([film(row, "train") for row in range(70)])[..., np.newaxis]
        # Half of the log of 1.44 to either side.
        widening = tf.constant([math.log(1.2) * (1 - 2 * label) for label in TRAIN_LABELS])
        pictures = augment(
            tf.constant(films, tf.float32), draws, widening, MOVING, NET_SIDE, NET_SIDE
        ).numpy()
        np.testing.assert_allclose(view, forward(backbone, list(pictures)), rtol=1e-4)
    # The eval split is never changed.
    expected = forward(backbone, [seen(n, "eval") for n in range(5)])
    np.testing.assert_allclose(found.evaluation, expected, rtol=1e-4)


@pytest.mark.parametrize("number", [1, 4, None])
def test_one_file_a_view_and_one_for_eval(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path, number: int | None
) -> None:
    found = run(backbone, train, evaluation, tmp_path, settings(number))
    names = {f"train-view-{view}.npy" for view in range(number or 0)} | {"eval.npy"}
    assert {path.name for path in tmp_path.iterdir()} == names | {f"{n}.json" for n in names}
    assert len(found.views) == (number or 0)
    assert found.films == {1: 75, 4: 285, None: 5}[number]


def test_maps_are_kept_as_they_are(train: Split, evaluation: Split, tmp_path: Path) -> None:
    # Where the net is trained from its middle on, the eval split waits there.
    def halved(pictures: tf.Tensor) -> tf.Tensor:
        return pictures[:, ::2, ::5] / 2.0

    found = Embeddings(halved, (13, 5, 1), train, evaluation, settings(views=None), str(tmp_path))
    assert found.views == []
    expected = np.stack([seen(n, "eval")[::2, ::5] / 2.0 for n in range(5)])[..., np.newaxis]
    np.testing.assert_array_equal(found.evaluation, expected)
    batches = found.eval_batches()
    assert batches.element_spec == tf.TensorSpec((None, 13, 5, 1))
    np.testing.assert_array_equal(np.concatenate(list(batches.as_numpy_iterator())), expected)


def test_a_second_run_reads_the_files_and_leaves_the_net_alone(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    first = run(backbone, train, evaluation, tmp_path)
    seconds = sum(json.loads(note.read_text()) for note in tmp_path.glob("*.npy.json"))
    assert first.seconds == pytest.approx(seconds)
    assert seconds > 0
    nobody: keras.Model = None
    second = run(nobody, train, evaluation, tmp_path)
    assert second.seconds == pytest.approx(seconds)
    for one, other in zip(first.views, second.views, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.evaluation, second.evaluation)


def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    first = run(backbone, train, evaluation, tmp_path, settings(2, MOVING))
    expected = np.array(first.views[1])
    kept = tmp_path / "train-view-0.npy"
    before = kept.stat().st_mtime_ns
    (tmp_path / "train-view-1.npy").unlink()
    second = run(backbone, train, evaluation, tmp_path, settings(2, MOVING))
    np.testing.assert_array_equal(second.views[1], expected)
    assert kept.stat().st_mtime_ns == before


def pictures_then(error: Exception | None, number: int) -> tf.data.Dataset:
    def generate() -> Iterator[np.ndarray]:
        for row in range(number):
            if error is not None and row == number - 1:
                raise error
            yield seen(row, "train")[..., np.newaxis]

    spec = tf.TensorSpec((NET_SIDE, NET_SIDE, 1))
    return tf.data.Dataset.from_generator(generate, output_signature=spec).batch(16)


def test_the_file_appears_whole_or_not_at_all(backbone: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "view.npy"
    broken = pictures_then(OSError("the disk is gone"), 40)
    with pytest.raises(tf.errors.UnknownError, match="the disk is gone"):
        embed(backbone, broken, (40, WIDTH), str(path), "test")
    assert not path.exists()
    features = embed(backbone, pictures_then(None, 40), (40, WIDTH), str(path), "test")
    expected = forward(backbone, [seen(n, "train") for n in range(40)])
    np.testing.assert_allclose(features, expected, rtol=1e-4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.npy"]


def test_features_are_mapped_and_not_read(backbone: keras.Model, tmp_path: Path) -> None:
    path = str(tmp_path / "view.npy")
    features = embed(backbone, pictures_then(None, 3), (3, WIDTH), path, "test")
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable


def test_progress_adds_up(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    reports: list[tuple[str, int, int | None]] = []
    with listen(lambda task, done, total: reports.append((task, done, total))):
        found = run(backbone, train, evaluation, tmp_path)
    assert {task for task, _, _ in reports} == {"Running the frozen net"}
    assert [total for _, _, total in reports if total is not None] == [2 * 70 + 5]
    assert sum(done for _, done, _ in reports) == found.films == 2 * 70 + 5


def test_rows_are_fetched_in_the_view_of_the_epoch(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = run(backbone, train, evaluation, tmp_path, settings(2, MOVING))
    assert not np.allclose(found.views[0], found.views[1], rtol=1e-3)
    rows = [69, 0, 41, 0]
    for epoch, view in ((0, 0), (1, 1), (2, 0), (5, 1)):
        elements = tf.data.Dataset.from_tensor_slices(rows).map(found.fetch(epoch))
        assert elements.element_spec == tf.TensorSpec((WIDTH,))
        features = np.stack(list(elements.as_numpy_iterator()))
        np.testing.assert_array_equal(features, found.views[view][rows])


def test_eval_comes_in_batches_in_its_order(
    backbone: keras.Model, train: Split, evaluation: Split, tmp_path: Path
) -> None:
    found = run(backbone, evaluation, train, tmp_path)
    batches = found.eval_batches()
    assert batches.element_spec == tf.TensorSpec((None, WIDTH))
    sizes = [len(batch) for batch in batches.as_numpy_iterator()]
    assert sizes == [32, 32, 6]
    np.testing.assert_array_equal(
        np.concatenate(list(batches.as_numpy_iterator())), found.evaluation
    )
