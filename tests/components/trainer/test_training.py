import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from components.shared.progress import listen
from components.trainer import training
from components.trainer.backbone import Backbone, build_backbone
from components.trainer.balance import balanced_epoch
from components.trainer.frozen import FrozenLayer
from components.trainer.model import build_head, chained, compiled, join, pneumonia_scorer
from components.trainer.settings import RunSettings
from components.trainer.training import (
    Epoch,
    best_epoch,
    fit_epochs,
    read_history,
    should_stop,
    train_step,
)
from support.tiny_training import SETTINGS

EpochData = Callable[[int], tf.data.Dataset]
Result = tuple[keras.Model, list[Epoch]]
EPOCHS = SETTINGS.epochs
WIDTH = 6
STEPS = 8  # of an epoch: 60 films in batches of 8


def lines(aucs: Sequence[float]) -> list[Epoch]:
    return [Epoch(number, 0.5, 0.5, 0.5, auc) for number, auc in enumerate(aucs)]


@pytest.mark.parametrize(
    ("aucs", "best"),
    [([0.5], 0), ([0.5, 0.9, 0.7], 1), ([0.9, 0.9, 0.9], 0), ([0.5, 0.8, 0.8, 0.9], 3)],
)
def test_the_best_epoch_is_the_first_of_equals(aucs: list[float], best: int) -> None:
    assert best_epoch(lines(aucs)).epoch == best
    assert best_epoch(lines(aucs)[::-1]).epoch == best


@pytest.mark.parametrize(
    ("aucs", "patience", "stop"),
    [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),
        ([0.5, 0.6], 1, False),
        ([0.6, 0.5], 2, False),
        ([0.6, 0.5, 0.6], 2, True),
        ([0.6, 0.5, 0.7, 0.6], 2, False),
        ([0.6, 0.5, 0.7, 0.6, 0.7], 2, True),
    ],
)
def test_when_to_stop(aucs: list[float], patience: int, stop: bool) -> None:
    assert should_stop(lines(aucs), patience) is stop


def features(number: int, seed: int, distance: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds `distance` standard deviations apart in every direction."""
    labels = np.arange(number) % 2
    noise = np.random.default_rng(seed).normal(size=(number, WIDTH))
    return (noise + distance * labels[:, np.newaxis]).astype(np.float32), labels.astype(np.int64)


TRAIN, TRAIN_LABELS = features(60, seed=0)
EVAL, EVAL_LABELS = features(50, seed=1)


TARGET = TRAIN_LABELS[:, np.newaxis].astype(np.float32)


def balanced(epoch: int) -> tf.data.Dataset:
    """As the trainer feeds the head."""
    features, target = tf.constant(TRAIN), tf.constant(TARGET)
    return balanced_epoch(
        [tf.data.Dataset.from_tensor_slices(np.flatnonzero(k == TRAIN_LABELS)) for k in (0, 1)],
        (30, 30),
        SETTINGS.batch_size,
        SETTINGS.seed,
        epoch,
        lambda row: (features[row], target[row]),
    )


def logits_of(model: keras.Model) -> np.ndarray:
    return np.asarray(model(EVAL, training=False))[:, 0]


def fit(
    folder: Path,
    epoch_data: EpochData = balanced,
    settings: RunSettings = SETTINGS,
    logs: str = "logs",
) -> Result:
    folder.mkdir(exist_ok=True)
    head = compiled(build_head(WIDTH, 1, settings), settings, settings.epochs * STEPS)
    # Whatever else drew before, another way in every folder, must not matter.
    keras.utils.set_random_seed(zlib.crc32(str(folder).encode()))
    history = fit_epochs(
        head,
        epoch_data,
        lambda: logits_of(head),
        EVAL_LABELS,
        settings,
        str(folder),
        str(folder / logs),
    )
    return head, history


def scores_of(model: keras.Model) -> np.ndarray:
    return expit(logits_of(model).astype(np.float64))


def checkpoint(folder: Path, epoch: int) -> list[np.ndarray]:
    with np.load(folder / f"epoch-{epoch:04d}.npz") as arrays:
        return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]


def assert_same_arrays(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> None:
    for array, found in zip(one, other, strict=True):
        np.testing.assert_allclose(array, found, atol=1e-6, rtol=0)


def pairwise_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs in which the positive one has the higher score."""
    difference = scores[labels == 1][:, np.newaxis] - scores[labels == 0]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def step_once(model: keras.Model, inputs: np.ndarray, target: np.ndarray) -> list[float]:
    """Trains on one batch; returns mean loss and accuracy."""
    batch = (tf.constant(inputs, tf.float32), tf.constant(target, tf.float32))
    model.optimizer.build(model.trainable_variables)
    loss, right, films = train_step(model)(batch).numpy().tolist()
    assert films == len(inputs)
    return [loss / films, right / films]


def assert_same(one: Result, other: Result) -> None:
    np.testing.assert_allclose(np.array(one[1]), np.array(other[1]), atol=1e-6, rtol=0)
    assert_same_arrays(one[0].get_weights(), other[0].get_weights())


def kinds_of(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize("classes", [1, 3])
def test_the_head_is_as_set_and_seeded(classes: int) -> None:
    head = build_head(WIDTH, classes, SETTINGS)
    assert kinds_of(head) == ["Dense", "Dropout", "Dense"]
    first, dropout, last = head.layers
    assert (first.units, first.activation.__name__) == (16, "relu")
    assert dropout.rate == 0.5
    assert (last.units, last.activation.__name__) == (classes, "linear")
    hidden = np.maximum(EVAL @ np.array(first.kernel), 0.0)
    logits = np.asarray(head(EVAL, training=False))
    assert logits.shape == (50, classes)
    np.testing.assert_allclose(logits, hidden @ np.array(last.kernel), atol=1e-5)
    again = build_head(WIDTH, classes, SETTINGS)
    np.testing.assert_array_equal(np.asarray(again(EVAL, training=False)), logits)
    other = build_head(WIDTH, classes, SETTINGS.changed(seed=4))
    assert not np.allclose(np.asarray(other(EVAL, training=False)), logits)


def test_the_head_without_a_hidden_layer() -> None:
    head = build_head(WIDTH, 3, SETTINGS.changed(dense_units=None))
    assert kinds_of(head) == ["Dropout", "Dense"]
    expected = EVAL @ np.array(head.layers[1].kernel)
    np.testing.assert_allclose(np.asarray(head(EVAL, training=False)), expected, atol=1e-5)


@pytest.mark.parametrize("step", [0, 1, 25, 50, 99, 100, 120])
def test_the_learning_rate_falls_as_a_cosine(step: int) -> None:
    settings = SETTINGS.changed(schedule="cosine")
    optimizer = compiled(build_head(WIDTH, 1, settings), settings, 100).optimizer
    optimizer.iterations.assign(step)
    expected = 0.01 * (1.0 + math.cos(math.pi * min(step, 100) / 100)) / 2.0
    assert float(optimizer.learning_rate) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("step", [0, 5, 10, 19, 20, 60, 100])
def test_the_learning_rate_rises_evenly_and_then_falls(step: int) -> None:
    settings = SETTINGS.changed(schedule="cosine", warmup=0.2)
    optimizer = compiled(build_head(WIDTH, 1, settings), settings, 100).optimizer
    optimizer.iterations.assign(step)
    # Of 100 steps it rises for 20 and falls for 80.
    falling = 0.01 * (1.0 + math.cos(math.pi * (step - 20) / 80)) / 2.0
    expected = 0.01 * step / 20 if step < 20 else falling
    assert float(optimizer.learning_rate) == pytest.approx(expected, abs=1e-8)


def test_the_learning_rate_stays_without_a_schedule() -> None:
    optimizer = compiled(build_head(WIDTH, 1, SETTINGS), SETTINGS, 100).optimizer
    optimizer.iterations.assign(60)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(("decay", "left"), [(0.0, 1.0), (0.2, 1.0 - 0.01 * 0.2)])
def test_weights_decay_apart_from_the_gradient(decay: float, left: float) -> None:
    # Of black features no weight has a slope: what changes it is the decay alone.
    settings = SETTINGS.changed(dense_units=None, dropout=0.0, weight_decay=decay)
    head = compiled(build_head(WIDTH, 1, settings), settings, 100)
    kernel = np.array(head.layers[-1].kernel)
    step_once(head, np.zeros((2, WIDTH)), np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(np.array(head.layers[-1].kernel), left * kernel, rtol=1e-5)


def test_the_first_step_of_adam_by_hand() -> None:
    # Bias-corrected, it is the learning rate against the sign of the slope.
    settings = SETTINGS.changed(dense_units=None, dropout=0.0)
    head = compiled(build_head(WIDTH, 1, settings), settings, 100)
    kernel = np.array(head.layers[-1].kernel)
    slope = TRAIN.T @ (expit(TRAIN @ kernel) - TARGET)
    step_once(head, TRAIN, TARGET)
    step = np.array(head.layers[-1].kernel) - kernel
    np.testing.assert_allclose(step, -0.01 * np.sign(slope), rtol=1e-3)


def test_a_step_follows_the_mean_slope_of_the_batch() -> None:
    head = build_head(WIDTH, 1, SETTINGS.changed(dense_units=None, dropout=0.0))
    head.compile(keras.optimizers.SGD(0.5))
    kernel = np.array(head.layers[-1].kernel)
    slope = TRAIN.T @ (expit(TRAIN @ kernel) - TARGET) / 60
    step_once(head, TRAIN, TARGET)
    step = np.array(head.layers[-1].kernel) - kernel
    np.testing.assert_allclose(step, -0.5 * slope, atol=1e-5)


def test_one_model_on_another() -> None:
    keras.utils.set_random_seed(0)
    start = keras.Input((WIDTH,))
    first = keras.Model(start, keras.layers.Dense(4)(start))
    second = build_head(4, 3, SETTINGS)
    expected = np.asarray(second(first(EVAL, training=False), training=False))
    both = chained(first, second)
    assert both.output_shape == (None, 3)
    np.testing.assert_allclose(np.asarray(both(EVAL, training=False)), expected, atol=1e-6)
    assert len(both.trainable_weights) == 6
    above = chained(FrozenLayer(first), second)
    np.testing.assert_allclose(np.asarray(above(EVAL, training=False)), expected, atol=1e-5)
    assert len(above.weights) == len(above.trainable_weights) == 4


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_scorer_gives_the_log_odds_of_pneumonia_by_the_weights_as_they_are(
    classes: int,
) -> None:
    head = build_head(WIDTH, classes, SETTINGS)
    scorer = pneumonia_scorer(head)
    for _ in range(2):
        logits = np.asarray(head(EVAL, training=False)).astype(np.float64)
        normal = 1.0 - expit(logits[:, 0]) if classes == 1 else softmax(logits, axis=1)[:, 0]
        found = np.asarray(scorer(EVAL, training=False))
        assert found.shape == (50, 1)
        np.testing.assert_allclose(found[:, 0], np.log((1 - normal) / normal), atol=1e-4)
        head.set_weights([weight + 0.3 for weight in head.get_weights()])


class Run(NamedTuple):
    folder: Path
    model: keras.Model
    history: list[Epoch]
    reports: list[tuple[str, int, int | None]]
    # The names of the checkpoints, and the epochs done, whenever an epoch began.
    kept: list[tuple[set[str], list[Epoch]]]


def watched(folder: Path, epoch_data: EpochData, settings: RunSettings) -> Run:
    reports: list[tuple[str, int, int | None]] = []
    kept: list[tuple[set[str], list[Epoch]]] = []

    def data(epoch: int) -> tf.data.Dataset:
        names = {path.name for path in folder.glob("*.npz")}
        kept.append((names, read_history(str(folder))))
        return epoch_data(epoch)

    with listen(lambda task, done, total: reports.append((task, done, total))):
        model, history = fit(folder, data, settings)
    return Run(folder, model, history, reports, kept)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was not cut."""
    return watched(tmp_path_factory.mktemp("whole") / "run", balanced, SETTINGS)


def test_the_curves_tell_what_the_net_does(whole: Run) -> None:
    model, history = whole.model, whole.history
    assert [line.epoch for line in history] == list(range(EPOCHS))
    assert history[-1].loss < history[0].loss
    best = best_epoch(history)
    assert best.eval_auc > 0.95
    scores = scores_of(model)
    assert best.eval_auc == pytest.approx(pairwise_auc(EVAL_LABELS, scores), abs=1e-9)
    right = np.where(EVAL_LABELS == 1, scores, 1.0 - scores)
    assert best.eval_loss == pytest.approx(-np.log(right).mean(), abs=1e-6)
    assert read_history(str(whole.folder)) == history
    steps = EPOCHS * STEPS
    assert whole.reports == [("Training", 0, steps)] + [("Training", 1, None)] * steps


def test_loss_and_accuracy_of_training_by_hand(tmp_path: Path) -> None:
    # One batch, no dropout: what Keras reports is of the weights before the step.
    settings = SETTINGS.changed(epochs=1, dropout=0.0)
    scores = expit(np.asarray(build_head(WIDTH, 1, settings)(TRAIN))[:, 0])
    batch = tf.data.Dataset.from_tensors((TRAIN, TARGET))
    _, (line,) = fit(tmp_path / "run", lambda _: batch, settings)
    right = np.where(TRAIN_LABELS == 1, scores, 1.0 - scores)
    assert line.loss == pytest.approx(-np.log(right).mean(), abs=1e-5)
    assert line.accuracy == pytest.approx((right > 0.5).mean(), abs=1e-6)


def test_every_film_of_an_epoch_counts_the_same(tmp_path: Path) -> None:
    # Batches of 45 and 15, and a step too small to see.
    settings = SETTINGS.changed(epochs=1, dropout=0.0, learning_rate=1e-30)
    scores = expit(np.asarray(build_head(WIDTH, 1, settings)(TRAIN))[:, 0])
    batches = tf.data.Dataset.from_tensor_slices((TRAIN, TARGET)).batch(45)
    _, (line,) = fit(tmp_path / "run", lambda _: batches, settings)
    right = np.where(TRAIN_LABELS == 1, scores, 1.0 - scores)
    assert line.loss == pytest.approx(-np.log(right).mean(), abs=1e-5)
    assert line.accuracy == pytest.approx((right > 0.5).mean(), abs=1e-6)


def test_training_moves_the_averages_of_normalized_features(tmp_path: Path) -> None:
    settings = SETTINGS.changed(epochs=1, normalize_features=True)
    batch = tf.data.Dataset.from_tensors((TRAIN, TARGET))
    head, _ = fit(tmp_path / "run", lambda _: batch, settings)
    moving = np.array(head.layers[0].moving_mean)
    np.testing.assert_allclose(moving, 0.1 * TRAIN.mean(axis=0), rtol=1e-4)


def test_loss_and_accuracy_of_several_classes_by_hand() -> None:
    settings = SETTINGS.changed(dropout=0.0)
    head = compiled(build_head(WIDTH, 3, settings), settings, 1)
    # Normal, one subtype, the other, one of the two.
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], np.float32)[np.arange(60) % 4]
    scores = softmax(np.asarray(head(TRAIN)), axis=1)
    loss, accuracy = step_once(head, TRAIN, target)
    assert loss == pytest.approx(-np.log((scores * target).sum(axis=1)).mean(), abs=1e-5)
    right = (scores[:, 0] > 0.5) == (target[:, 0] == 1)
    assert 0.1 < right.mean() < 0.9
    assert accuracy == pytest.approx(right.mean(), abs=1e-6)


def test_two_runs_of_one_seed_agree(whole: Run, tmp_path: Path) -> None:
    assert_same(fit(tmp_path / "second"), (whole.model, whole.history))
    _, other = fit(tmp_path / "other", settings=SETTINGS.changed(seed=5, epochs=1))
    assert abs(other[0].loss - whole.history[0].loss) > 1e-3


class CutError(Exception):
    """The run ends here."""


def cut_at(epoch: int, epoch_data: EpochData = balanced) -> EpochData:
    def data(number: int) -> tf.data.Dataset:
        if number == epoch:
            raise CutError
        return epoch_data(number)

    return data


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_resumed_run_ends_as_one_that_was_not_cut(whole: Run, tmp_path: Path, epoch: int) -> None:
    folder = tmp_path / "cut"
    with pytest.raises(CutError):
        fit(folder, cut_at(epoch))
    assert read_history(str(folder)) == whole.history[:epoch]
    asked = []

    def data(number: int) -> tf.data.Dataset:
        asked.append(number)
        return balanced(number)

    resumed, history = fit(folder, data)
    assert asked == list(range(epoch, EPOCHS))
    assert_same((resumed, history), (whole.model, whole.history))
    # The last weights too, be they the best or not, and the optimizer's state.
    last = checkpoint(folder, EPOCHS - 1)
    assert_same_arrays(last, checkpoint(whole.folder, EPOCHS - 1))
    # Four weights, two moments of each, a count of steps, the learning rate, a state of dropout.
    assert len(last) == 15
    assert EPOCHS * STEPS in [array.item() for array in last if array.shape == ()]


def test_every_epoch_draws_another_dropout(tmp_path: Path) -> None:
    # Nothing is learnt, so that the losses differ by the draws alone.
    batch = tf.data.Dataset.from_tensors((TRAIN, TARGET))
    settings = SETTINGS.changed(learning_rate=1e-30, epochs=3)
    _, history = fit(tmp_path / "run", lambda _: batch, settings)
    assert len({round(line.loss, 6) for line in history}) == 3
    _, history = fit(tmp_path / "still", lambda _: batch, settings.changed(dropout=0.0))
    assert len({round(line.loss, 6) for line in history}) == 1


def test_the_dropout_of_an_epoch_follows_from_its_number(tmp_path: Path) -> None:
    head = compiled(build_head(WIDTH, 1, SETTINGS), SETTINGS, EPOCHS)
    states = []

    def data(epoch: int) -> tf.data.Dataset:
        states.append(np.array(head.layers[1].seed_generator.state).tolist())
        # However many batches there are.
        return balanced(epoch).take(1 + epoch)

    fit_epochs(
        head,
        data,
        lambda: logits_of(head),
        EVAL_LABELS,
        SETTINGS.changed(epochs=3),
        str(tmp_path),
        str(tmp_path / "logs"),
    )
    assert states == [[3, 0], [4, 0], [5, 0]]


def test_a_finished_run_is_not_trained_again(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "run")
    again = fit(tmp_path / "run", cut_at(EPOCHS))
    assert_same(again, (whole.model, whole.history))


def small_backbone(path: Path, fine_tune: str | None, pooled: bool = False) -> Backbone:
    keras.utils.set_random_seed(1)
    colour = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=4, name="first")(colour)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(5, 3, name="second")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalMaxPooling2D()(x) if pooled else x
    keras.Model(colour, x, name="resnet50").save(path)
    return build_backbone(str(path), 32, seed=1, fine_tune=fine_tune)


FINE = SETTINGS.changed(
    epochs=3,
    learning_rate=0.01,
    schedule="cosine",
    weight_decay=0.1,
    fine_tune="second",
    views=None,
)
FINE_LABELS = np.arange(24) % 4 > 0
# Normal, one subtype, the other, one of the two.
FINE_TARGET = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], np.float32)[np.arange(24) % 4]


def grey_pictures() -> np.ndarray:
    pictures = np.random.default_rng(0).integers(0, 128, (24, 32, 32, 1)).astype(np.float32)
    return pictures + 20.0 * FINE_LABELS.reshape(-1, 1, 1, 1)


class FineTuned(NamedTuple):
    """Backbone, head and both on the frozen part, the curves, and where the checkpoints are."""

    net: Backbone
    head: keras.Model
    trained: keras.Model
    history: list[Epoch]
    folder: Path


def fine_tune(folder: Path, epoch_data: EpochData, settings: RunSettings = FINE) -> FineTuned:
    os.makedirs(folder, exist_ok=True)
    net = small_backbone(folder.with_suffix(".keras"), "second")
    head = build_head(5, 3, settings)
    tuned = chained(net.tuned, head)
    trained = compiled(chained(FrozenLayer(net.frozen), tuned), settings, 3 * settings.epochs)
    scored = pneumonia_scorer(tuned)
    boundaries = np.asarray(net.frozen(grey_pictures()))
    keras.utils.set_random_seed(zlib.crc32(str(folder).encode()))
    history = fit_epochs(
        trained,
        epoch_data,
        lambda: scored.predict(boundaries, verbose=0)[:, 0],
        FINE_LABELS.astype(np.int64),
        settings,
        str(folder),
        str(folder / "logs"),
    )
    return FineTuned(net, head, trained, history, folder)


def three_batches(epoch: int) -> tf.data.Dataset:
    order = np.random.default_rng(epoch).permutation(24)
    return tf.data.Dataset.from_tensor_slices((grey_pictures()[order], FINE_TARGET[order])).batch(8)


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> FineTuned:
    return fine_tune(tmp_path_factory.mktemp("fine") / "whole", three_batches)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_fine_tuned_net_resumes_too(fine: FineTuned, tmp_path: Path, epoch: int) -> None:
    with pytest.raises(CutError):
        fine_tune(tmp_path / "cut", cut_at(epoch, three_batches))
    resumed = fine_tune(tmp_path / "cut", three_batches)
    assert_same((resumed.trained, resumed.history), (fine.trained, fine.history))
    # The last weights and the optimizer's moments too.
    last = checkpoint(tmp_path / "cut", 2)
    assert_same_arrays(last, checkpoint(fine.folder, 2))
    assert 9 in [array.item() for array in last if array.shape == ()]


def test_fine_tuning_changes_what_is_tuned_and_not_what_is_frozen(
    fine: FineTuned, tmp_path: Path
) -> None:
    fresh = small_backbone(tmp_path / "net.keras", "second")
    for weight, old in zip(fine.net.frozen.weights, fresh.frozen.weights, strict=True):
        np.testing.assert_array_equal(np.array(weight), np.array(old))
    changed = [
        weight.path
        for weight, old in zip(fine.net.tuned.weights, fresh.tuned.weights, strict=True)
        if np.abs(np.array(weight) - np.array(old)).max() > 0
    ]
    assert changed == ["second/kernel", "second/bias"]
    # What is saved is the tuned part and the head, and two moments of what is trained of them.
    assert len(fine.trained.trainable_variables) == 6
    assert not {weight.path for weight in fine.net.frozen.weights} & {
        variable.path for variable in fine.trained.variables
    }


def test_the_joined_net_is_what_was_trained(fine: FineTuned) -> None:
    net = join(fine.net, fine.head)
    pictures = grey_pictures()
    maps = np.asarray(net.feature_maps(pictures, training=False))
    assert net.feature_maps.output_shape == (None, 6, 6, 5)
    assert maps.min() == 0.0  # after the last ReLU
    logits = np.asarray(fine.trained(pictures, training=False))
    normal = softmax(logits.astype(np.float64), axis=1)[:, 0]
    found = np.asarray(net.log_odds(maps, training=False))
    assert found.shape == (24, 1)
    np.testing.assert_allclose(found[:, 0], np.log((1 - normal) / normal), atol=1e-4)
    # From the maps on it is pooling and head.
    pooled = pneumonia_scorer(fine.head)(maps.mean(axis=(1, 2)), training=False)
    np.testing.assert_allclose(found, np.asarray(pooled), atol=1e-4)


@pytest.mark.parametrize("first_trained", [None, "second"])
@pytest.mark.parametrize(("pooled", "maps"), [(False, (6, 6, 5)), (True, (5,))])
def test_a_joined_net_with_and_without_maps(
    tmp_path: Path, first_trained: str | None, pooled: bool, maps: tuple[int, ...]
) -> None:
    backbone = small_backbone(tmp_path / "net.keras", first_trained, pooled)
    head = build_head(5, 1, SETTINGS)
    net = join(backbone, head)
    assert net.feature_maps.input_shape == (None, 32, 32, 1)
    assert net.feature_maps.output_shape == net.log_odds.input_shape == (None, *maps)
    pictures = grey_pictures()
    expected = head(backbone.tuned(backbone.frozen(pictures)), training=False)
    found = net.log_odds(net.feature_maps(pictures, training=False), training=False)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-4)


def turning(epoch: int) -> tf.data.Dataset:
    """Teaches the opposite from the third epoch on."""
    return balanced(epoch).map(lambda x, target: (x, target if epoch < 3 else 1.0 - target))


TURNING = SETTINGS.changed(epochs=8, learning_rate=0.03)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose eval AUC falls in the end."""
    return watched(tmp_path_factory.mktemp("turned") / "run", turning, TURNING)


def test_the_best_weights_come_back(turned: Run, tmp_path: Path) -> None:
    best = best_epoch(turned.history)
    assert best.epoch < 4
    assert turned.history[-1].eval_auc < 0.5 < 0.9 < best.eval_auc
    scores = scores_of(turned.model)
    assert pairwise_auc(EVAL_LABELS, scores) == pytest.approx(best.eval_auc, abs=1e-9)
    # The same weights as of a run that ended there.
    short, _ = fit(tmp_path / "short", turning, TURNING.changed(epochs=best.epoch + 1))
    np.testing.assert_allclose(scores, scores_of(short), atol=1e-6)


def test_the_last_weights_stay_where_they_are_asked_for(turned: Run, tmp_path: Path) -> None:
    last, history = fit(tmp_path / "last", turning, TURNING.changed(keep="last"))
    assert history == turned.history
    scores = scores_of(last)
    assert pairwise_auc(EVAL_LABELS, scores) == pytest.approx(history[-1].eval_auc, abs=1e-9)
    assert history[-1].eval_auc < 0.5
    # A run that had ended gives the same again.
    again, _ = fit(tmp_path / "last", cut_at(8, turning), TURNING.changed(keep="last"))
    np.testing.assert_allclose(scores_of(again), scores, atol=1e-6)


def test_it_stops_early(turned: Run, tmp_path: Path) -> None:
    model, short = fit(tmp_path / "short", turning, TURNING.changed(patience=2))
    stop = best_epoch(turned.history).epoch + 3
    assert len(short) == stop < len(turned.history) == 8
    assert_same((model, short), (turned.model, turned.history[:stop]))
    # Resumed, it stays stopped.
    _, again = fit(tmp_path / "short", cut_at(stop), TURNING.changed(patience=2))
    assert again == short


def test_a_run_is_resumed_from_its_last_epoch_and_not_from_its_best(
    turned: Run, tmp_path: Path
) -> None:
    assert best_epoch(turned.history[:6]).epoch < 5
    with pytest.raises(CutError):
        fit(tmp_path / "cut", cut_at(6, turning), TURNING)
    assert_same(fit(tmp_path / "cut", turning, TURNING), (turned.model, turned.history))


def test_only_the_last_and_the_best_are_kept(turned: Run) -> None:
    def name(epoch: int) -> str:
        return f"epoch-{epoch:04d}.npz"

    assert [len(history) for _, history in turned.kept] == list(range(8))
    for names, history in turned.kept[1:]:
        assert names == {name(history[-1].epoch), name(best_epoch(history).epoch)}
    best = name(best_epoch(turned.history).epoch)
    assert {path.name for path in turned.folder.iterdir()} == {
        name(7),
        best,
        "history.json",
        "logs",
    }


@pytest.mark.parametrize("broken", ["json.dump", "os.replace"])
def test_the_history_is_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    training.write_history(lines([0.5, 0.6]), str(tmp_path))

    def half(content: object, file: object, **_: object) -> None:
        file.write(json.dumps(content)[:20])  # type: ignore[attr-defined]
        raise OSError("the disk is full")

    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(
            f"components.trainer.training.{broken}", {"json.dump": half}.get(broken, refuse)
        )
        with pytest.raises(OSError, match="the disk is full"):
            training.write_history(lines([0.5, 0.6, 0.7]), str(tmp_path))
    assert read_history(str(tmp_path)) == lines([0.5, 0.6])
    training.write_history(lines([0.5, 0.6, 0.7]), str(tmp_path))
    assert read_history(str(tmp_path)) == lines([0.5, 0.6, 0.7])
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"]


@pytest.mark.parametrize("cut_before", ["epoch-0002.npz", "history.json"])
def test_a_run_cut_while_it_writes_repeats_the_epoch(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_before: str
) -> None:
    replace_file = os.replace

    def cut(source: str, target: str) -> None:
        done = len(read_history(str(tmp_path / "cut")))
        if done == 2 and os.path.basename(target) == cut_before:
            raise CutError
        replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(training.os, "replace", cut)
        with pytest.raises(CutError):
            fit(tmp_path / "cut")
    assert len(read_history(str(tmp_path / "cut"))) == 2
    assert_same(fit(tmp_path / "cut"), (whole.model, whole.history))


def logged(folder: Path) -> list[tuple[int, str, float]]:
    records = []
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            records += [
                (event.step, value.tag, float(tf.make_ndarray(value.tensor)))
                for value in event.summary.value
            ]
    return records


def test_tensorboard_gets_every_epoch_also_of_a_resumed_run(tmp_path: Path) -> None:
    settings = SETTINGS.changed(epochs=2)
    with pytest.raises(CutError):
        fit(tmp_path / "run", cut_at(1), settings)
    _, history = fit(tmp_path / "run", balanced, settings, logs="logs of the second run")
    found = logged(tmp_path / "run" / "logs of the second run")
    assert [(step, tag) for step, tag, _ in found] == [
        (epoch, tag) for epoch in range(2) for tag in ("loss", "accuracy", "eval_loss", "eval_auc")
    ]
    expected = [value for line in history for value in line[1:]]
    assert [value for *_, value in found] == pytest.approx(expected, rel=1e-6)


def test_normalized_features_come_centred_to_the_dense_layer() -> None:
    head = build_head(WIDTH, 1, SETTINGS.changed(normalize_features=True))
    assert kinds_of(head) == ["BatchNormalization", "Dense", "Dropout", "Dense"]
    features = 40.0 + np.random.default_rng(0).normal(size=(64, WIDTH)).astype(np.float32)
    normalized = head.layers[0](features, training=True).numpy()
    np.testing.assert_allclose(normalized.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, atol=1e-2)
