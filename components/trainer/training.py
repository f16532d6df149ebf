"""The epochs: fit, judge by eval AUC, keep the best, checkpoint, resume."""

import json
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from sklearn.metrics import log_loss, roc_auc_score

from components.progress import advance
from components.trainer.settings import Settings

HISTORY_FILE = "history.json"


class Epoch(NamedTuple):
    """One line of the learning curves."""

    epoch: int
    loss: float
    accuracy: float
    eval_loss: float
    eval_auc: float


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """Returns the epoch of the highest eval AUC; the first of equals."""
    return max(history, key=lambda line: (line.eval_auc, -line.epoch))


def should_stop(history: Sequence[Epoch], patience: int) -> bool:
    """Whether the eval AUC has not risen for `patience` epochs."""
    return bool(history) and history[-1].epoch - best_epoch(history).epoch >= patience


def read_history(folder: str) -> list[Epoch]:
    """Returns the epochs that a run has finished in `folder`."""
    path = os.path.join(folder, HISTORY_FILE)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [Epoch(**line) for line in json.load(file)]


def fit_epochs(
    model: keras.Model,
    epoch_data: Callable[[int], tf.data.Dataset],
    eval_data: tf.data.Dataset,
    eval_labels: np.ndarray,
    settings: Settings,
    folder: str,
    log_dir: str,
) -> tuple[keras.Model, list[Epoch]]:
    """Trains, from where an earlier run in `folder` was cut off, and returns the best weights.

    Args:
        model: compiled; replaced by the checkpoint of a run that was cut off.
        epoch_data: gives the batches (inputs, labels) of an epoch by its number, from 0.
        eval_data: batches of inputs, in the order of `eval_labels`.
        eval_labels: int64 [M].
        settings: epochs and patience.
        folder: of checkpoints and history.
        log_dir: of TensorBoard's files.

    Returns:
        The model of the best epoch, and all epochs.
    """
    history = read_history(folder)
    if history:
        logging.info("Training goes on after epoch %d, from %s", history[-1].epoch, folder)
        model = keras.models.load_model(_checkpoint(folder, history[-1].epoch))
    writer = tf.summary.create_file_writer(log_dir)
    for line in history:
        _log(writer, line)
    advance("Training", len(history), settings.epochs)
    while len(history) < settings.epochs and not should_stop(history, settings.patience):
        number = len(history)
        # Dropout of an epoch follows from its number, so that a resumed run repeats it.
        keras.utils.set_random_seed(settings.seed + number)
        _reseed(model, settings.seed + number)
        fitted = model.fit(epoch_data(number), epochs=1, verbose=0).history
        scores = model.predict(eval_data, verbose=0)[:, 0].astype(np.float64)
        line = Epoch(
            epoch=number,
            loss=float(fitted["loss"][0]),
            accuracy=float(fitted["accuracy"][0]),
            eval_loss=float(log_loss(eval_labels, scores, labels=[0, 1])),
            eval_auc=float(roc_auc_score(eval_labels, scores)),
        )
        history.append(line)
        _log(writer, line)
        _save(model, history, folder)
        advance("Training", 1)
    writer.close()
    return keras.models.load_model(_checkpoint(folder, best_epoch(history).epoch)), history


def _reseed(model: keras.Model, seed: int) -> None:
    """Sets the state of every layer that draws: checkpoints do not hold it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _reseed(layer, seed)
        elif (generator := getattr(layer, "seed_generator", None)) is not None:
            generator.state.assign([seed, 0])


def _checkpoint(folder: str, epoch: int) -> str:
    return os.path.join(folder, f"epoch-{epoch:04d}.keras")


def _save(model: keras.Model, history: Sequence[Epoch], folder: str) -> None:
    """Writes the checkpoint, then the history that counts it; drops what neither needs."""
    last, best = history[-1].epoch, best_epoch(history).epoch
    path = _checkpoint(folder, last)
    part = os.path.join(folder, "part.keras")
    model.save(part)
    os.replace(part, path)
    write_history(history, folder)
    for epoch in {line.epoch for line in history} - {last, best}:
        if os.path.exists(_checkpoint(folder, epoch)):
            os.remove(_checkpoint(folder, epoch))


def write_history(history: Sequence[Epoch], folder: str) -> None:
    """Writes the epochs as JSON; the file is replaced whole."""
    path = os.path.join(folder, HISTORY_FILE)
    with open(f"{path}.part", "w") as file:
        json.dump([line._asdict() for line in history], file, indent=1)
    os.replace(f"{path}.part", path)


def _log(writer: tf.summary.SummaryWriter, line: Epoch) -> None:
    with writer.as_default(step=line.epoch):
        for name in ("loss", "accuracy", "eval_loss", "eval_auc"):
            tf.summary.scalar(name, getattr(line, name))
    writer.flush()
