import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.progress import listen
from components.trainer import training
from components.trainer.backbone import build_backbone
from components.trainer.balance import balanced_epoch
from components.trainer.films import Split
from components.trainer.model import build_head, compiled, join
from components.trainer.run_fn import _work_folder
from components.trainer.settings import Augmentation, Settings
from components.trainer.training import Epoch, best_epoch, fit_epochs, read_history, should_stop

EpochData = Callable[[int], tf.data.Dataset]
Result = tuple[keras.Model, list[Epoch]]
EPOCHS = 4
WIDTH = 6
SETTINGS = Settings(
    backbone="none",
    input_size=32,
    seed=3,
    epochs=EPOCHS,
    batch_size=8,
    learning_rate=0.01,
    dense_units=16,
    dropout=0.5,
    patience=100,
    views=2,
    augmentation=Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, False),
    work_dir="",
)


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


def balanced(epoch: int) -> tf.data.Dataset:
    """As the trainer feeds the head."""
    classes = [
        tf.data.Dataset.from_tensor_slices(
            (TRAIN[label == TRAIN_LABELS], np.full(30, label, np.float32))
        )
        for label in (0, 1)
    ]
    return balanced_epoch(classes, (30, 30), SETTINGS.batch_size, SETTINGS.seed, epoch)


def fit(
    folder: Path,
    epoch_data: EpochData = balanced,
    settings: Settings = SETTINGS,
    logs: str = "logs",
) -> Result:
    folder.mkdir(exist_ok=True)
    head = build_head(WIDTH, settings)
    # Whatever else drew before, another way in every folder, must not matter.
    keras.utils.set_random_seed(zlib.crc32(str(folder).encode()))
    return fit_epochs(
        head,
        epoch_data,
        tf.data.Dataset.from_tensor_slices(EVAL).batch(16),
        EVAL_LABELS,
        settings,
        str(folder),
        str(folder / logs),
    )


def scores_of(model: keras.Model) -> np.ndarray:
    return np.asarray(model(EVAL, training=False))[:, 0].astype(np.float64)


def pairwise_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs in which the positive one has the higher score."""
    difference = scores[labels == 1][:, np.newaxis] - scores[labels == 0]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def assert_same(
    one: tuple[keras.Model, list[Epoch]], other: tuple[keras.Model, list[Epoch]]
) -> None:
    np.testing.assert_allclose(np.array(one[1]), np.array(other[1]), atol=1e-6, rtol=0)
    for weight, found in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        np.testing.assert_allclose(weight, found, atol=1e-6, rtol=0)


def test_the_head_is_as_set_and_seeded() -> None:
    head = build_head(WIDTH, SETTINGS)
    assert [type(layer).__name__ for layer in head.layers] == ["Dense", "Dropout", "Dense"]
    first, dropout, last = head.layers
    assert (first.units, first.activation.__name__) == (16, "relu")
    assert dropout.rate == 0.5
    assert (last.units, last.activation.__name__) == (1, "sigmoid")
    assert float(head.optimizer.learning_rate) == pytest.approx(0.01)
    hidden = np.maximum(EVAL @ np.array(first.kernel), 0.0)
    expected = 1.0 / (1.0 + np.exp(-(hidden @ np.array(last.kernel))[:, 0]))
    np.testing.assert_allclose(scores_of(head), expected, atol=1e-6)
    np.testing.assert_array_equal(scores_of(build_head(WIDTH, SETTINGS)), scores_of(head))
    other = build_head(WIDTH, replace(SETTINGS, seed=4))
    assert not np.allclose(scores_of(other), scores_of(head))


class Run(NamedTuple):
    folder: Path
    model: keras.Model
    history: list[Epoch]
    reports: list[tuple[str, int, int | None]]
    # The names of the checkpoints, and the epochs done, whenever an epoch began.
    kept: list[tuple[set[str], list[Epoch]]]


def watched(folder: Path, epoch_data: EpochData, settings: Settings) -> Run:
    reports: list[tuple[str, int, int | None]] = []
    kept: list[tuple[set[str], list[Epoch]]] = []

    def data(epoch: int) -> tf.data.Dataset:
        names = {path.name for path in folder.glob("*.keras")}
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
    assert whole.reports == [("Training", 0, EPOCHS)] + [("Training", 1, None)] * EPOCHS


def test_loss_and_accuracy_of_training_by_hand(tmp_path: Path) -> None:
    # One batch, no dropout: what Keras reports is of the weights before the step.
    settings = replace(SETTINGS, epochs=1, dropout=0.0)
    head = build_head(WIDTH, settings)
    scores = np.asarray(head(TRAIN))[:, 0]
    batch = tf.data.Dataset.from_tensors((TRAIN, TRAIN_LABELS.astype(np.float32)))
    _, (line,) = fit(tmp_path / "run", lambda _: batch, settings)
    right = np.where(TRAIN_LABELS == 1, scores, 1.0 - scores)
    assert line.loss == pytest.approx(-np.log(right).mean(), abs=1e-5)
    assert line.accuracy == pytest.approx((right > 0.5).mean(), abs=1e-6)


def test_two_runs_of_one_seed_agree(whole: Run, tmp_path: Path) -> None:
    assert_same(fit(tmp_path / "second"), (whole.model, whole.history))
    _, other = fit(tmp_path / "other", settings=replace(SETTINGS, seed=5, epochs=1))
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
    # The last weights too, be they the best or not.
    name = f"epoch-{EPOCHS - 1:04d}.keras"
    last = keras.models.load_model(folder / name)
    assert_same((last, history), (keras.models.load_model(whole.folder / name), history))
    assert int(last.optimizer.iterations) == EPOCHS * math.ceil(30 / 4)


def test_every_epoch_draws_another_dropout(tmp_path: Path) -> None:
    # Nothing is learnt, so that the losses differ by the draws alone.
    batch = tf.data.Dataset.from_tensors((TRAIN, TRAIN_LABELS.astype(np.float32)))
    settings = replace(SETTINGS, learning_rate=1e-30, epochs=3)
    _, history = fit(tmp_path / "run", lambda _: batch, settings)
    assert len({round(line.loss, 6) for line in history}) == 3
    _, history = fit(tmp_path / "still", lambda _: batch, replace(settings, dropout=0.0))
    assert len({round(line.loss, 6) for line in history}) == 1


def test_a_finished_run_is_not_trained_again(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "run")
    again = fit(tmp_path / "run", cut_at(EPOCHS))
    assert_same(again, (whole.model, whole.history))


def small_backbone(path: Path) -> keras.Model:
    keras.utils.set_random_seed(1)
    colour = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2)(colour)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    keras.Model(colour, x).save(path)
    return build_backbone(str(path), 32, seed=1)


# The head has an optimizer of its own, which is not used here.
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_the_whole_net_resumes_too(tmp_path: Path) -> None:
    backbone = small_backbone(tmp_path / "net.keras")
    settings = replace(SETTINGS, epochs=2, learning_rate=1e-3)
    labels = np.arange(12) % 2
    pictures = np.random.default_rng(0).integers(0, 128, (12, 32, 32, 1)).astype(np.float32)
    pictures += 60.0 * labels.reshape(-1, 1, 1, 1)
    frozen = [np.array(weight) for weight in backbone.get_weights()]

    def data(_: int) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((pictures, labels.astype(np.float32))).batch(4)

    def train(folder: str, epoch_data: EpochData) -> Result:
        os.makedirs(tmp_path / folder, exist_ok=True)
        return fit_epochs(
            compiled(join(backbone, build_head(4, settings)), settings),
            epoch_data,
            tf.data.Dataset.from_tensor_slices(pictures).batch(5),
            labels,
            settings,
            str(tmp_path / folder),
            str(tmp_path / folder / "logs"),
        )

    whole = train("whole", data)
    with pytest.raises(CutError):
        train("cut", cut_at(1, data))
    resumed = train("cut", data)
    assert_same(resumed, whole)
    assert len(resumed[0].trainable_weights) == 4
    for weight, old in zip(resumed[0].get_weights()[:6], frozen, strict=True):
        np.testing.assert_array_equal(weight, old)


def turning(epoch: int) -> tf.data.Dataset:
    """Teaches the opposite from the third epoch on."""
    return balanced(epoch).map(lambda x, label: (x, label if epoch < 3 else 1.0 - label))


TURNING = replace(SETTINGS, epochs=8, learning_rate=0.03)


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
    short, _ = fit(tmp_path / "short", turning, replace(TURNING, epochs=best.epoch + 1))
    np.testing.assert_allclose(scores, scores_of(short), atol=1e-6)


def test_it_stops_early(turned: Run, tmp_path: Path) -> None:
    model, short = fit(tmp_path / "short", turning, replace(TURNING, patience=2))
    stop = best_epoch(turned.history).epoch + 3
    assert len(short) == stop < len(turned.history) == 8
    assert_same((model, short), (turned.model, turned.history[:stop]))
    # Resumed, it stays stopped.
    _, again = fit(tmp_path / "short", cut_at(stop), replace(TURNING, patience=2))
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
        return f"epoch-{epoch:04d}.keras"

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


@pytest.mark.parametrize("cut_before", ["epoch-0002.keras", "history.json"])
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
    settings = replace(SETTINGS, epochs=2)
    with pytest.raises(CutError):
        fit(tmp_path / "run", cut_at(1), settings)
    _, history = fit(tmp_path / "run", balanced, settings, logs="logs of the second run")
    found = logged(tmp_path / "run" / "logs of the second run")
    assert [(step, tag) for step, tag, _ in found] == [
        (epoch, tag) for epoch in range(2) for tag in ("loss", "accuracy", "eval_loss", "eval_auc")
    ]
    expected = [value for line in history for value in line[1:]]
    assert [value for *_, value in found] == pytest.approx(expected, rel=1e-6)


def test_what_a_run_left_is_found_by_the_same_data_settings_and_weights_only(
    tmp_path: Path,
) -> None:
    net = tmp_path / "net.keras"
    net.write_bytes(b"weights")
    settings = replace(SETTINGS, backbone=str(net), work_dir=str(tmp_path / "work"))
    train, evaluation = Split(["7/train"], np.zeros(1)), Split(["7/eval"], np.zeros(1))
    folder = _work_folder(settings, train, evaluation)
    assert os.path.isdir(folder)
    assert _work_folder(settings, train, evaluation) == folder
    assert _work_folder(replace(settings, epochs=7), train, evaluation) != folder
    assert _work_folder(settings, Split(["8/train"], np.zeros(1)), evaluation) != folder
    assert _work_folder(settings, train, Split(["8/eval"], np.zeros(1))) != folder
    net.write_bytes(b"other weights")
    assert _work_folder(settings, train, evaluation) != folder


def test_normalized_features_come_centred_to_the_dense_layer() -> None:
    assert [layer.name.split("_")[0] for layer in build_head(WIDTH, SETTINGS).layers] == [
        "dense",
        "dropout",
        "dense",
    ]
    head = build_head(WIDTH, replace(SETTINGS, normalize_features=True))
    features = 40.0 + np.random.default_rng(0).normal(size=(64, WIDTH)).astype(np.float32)
    normalized = head.layers[0](features, training=True).numpy()
    np.testing.assert_allclose(normalized.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, atol=1e-2)
