"""The epochs: fit, judge by eval AUC, keep the best or the last, checkpoint, resume."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from components.shared.artifacts import HISTORY_FILE
from components.shared.files import replacing
from components.shared.progress import advance
from components.trainer import targets
from components.trainer.settings import RunSettings
from components.trainer.workers import from_chief, is_chief

LAST = "last"


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


def kept_epoch(history: Sequence[Epoch], keep: str) -> Epoch:
    """Returns the epoch whose weights are the result: the `best` one, or the `last`."""
    return history[-1] if keep == LAST else best_epoch(history)


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
    eval_scores: Callable[[], np.ndarray],
    eval_labels: np.ndarray,
    settings: RunSettings,
    folder: str,
    log_dir: str,
) -> list[Epoch]:
    """Trains, from where an earlier run in `folder` was cut off, and puts in the weights to keep.

    On several workers the chief's curves are everybody's, so that all stop together; the chief
    alone writes to `folder`, which all must see, and has the weights to keep at the end.

    Args:
        model: compiled; its variables are those of `kept_epoch` afterwards.
        epoch_data: gives the batches (inputs, targets) of an epoch by its number, from 0; a dataset
            that knows how many they are, as many in each epoch.
        eval_scores: gives the log odds of pneumonia on the eval split by the model as it is,
            float [M].
        eval_labels: int64 [M].
        settings: epochs, patience, and which epoch's weights to keep.
        folder: of checkpoints and history.
        log_dir: of TensorBoard's files.

    Returns:
        All epochs.
    """
    history = read_history(folder)
    model.optimizer.build(model.trainable_variables)
    if history:
        logging.info("Training goes on after epoch %d, from %s", history[-1].epoch, folder)
        _load(model, _checkpoint(folder, history[-1].epoch))
    step = train_step(model)
    writer = tf.summary.create_file_writer(log_dir)
    for line in history:
        _log(writer, line)
    found = len(history)
    while len(history) < settings.epochs and not should_stop(history, settings.patience):
        number = len(history)
        # Dropout of an epoch follows from its number, so that a resumed run repeats it.
        keras.utils.set_random_seed(settings.seed + number)
        _reseed(model, settings.seed + number)
        batches = epoch_data(number)
        if number == found:  # as far as the run before this one came
            steps = int(batches.cardinality())
            advance("Training", number * steps, settings.epochs * steps)
        loss, accuracy = _run_epoch(step, batches)
        scores = expit(eval_scores().astype(np.float64))
        eval_loss = float(log_loss(eval_labels, scores, labels=[0, 1]))
        eval_auc = float(roc_auc_score(eval_labels, scores))
        line = Epoch(number, *from_chief([loss, accuracy, eval_loss, eval_auc]))
        history.append(line)
        _log(writer, line)
        if is_chief():
            _save(model, history, folder)
    writer.close()
    if is_chief():
        _load(model, _checkpoint(folder, kept_epoch(history, settings.keep).epoch))
    return history


def train_step(model: keras.Model) -> Callable[[Any], tf.Tensor]:
    """Returns what trains on one batch and gives the sums of loss and accuracy, and the films.

    Keras' own `fit` does not run on several workers, so the step is spelled out.
    """
    strategy = tf.distribute.get_strategy()

    def on_replica(inputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = targets.loss(target, logits)
            # Gradients are added over the replicas, which share the batch equally.
            loss = tf.reduce_mean(losses) / strategy.num_replicas_in_sync
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        right = targets.accuracy(target, logits)
        films = tf.cast(tf.shape(logits)[0], tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(right), films])

    # Without autograph, which takes seconds to find nothing to convert.
    @tf.function(autograph=False)
    def step(batch: Any) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(on_replica, args=batch), axis=None)

    return step


def _run_epoch(step: Callable[[Any], tf.Tensor], batches: tf.data.Dataset) -> tuple[float, float]:
    """Trains on the batches and returns mean loss and accuracy of the films."""
    # Each worker reads everything and keeps its share of every batch.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    strategy = tf.distribute.get_strategy()
    sums = tf.zeros(3)
    for batch in strategy.experimental_distribute_dataset(batches.with_options(options)):
        sums += step(batch)
        advance("Training", 1)
    loss, right, films = sums.numpy()
    return float(loss / films), float(right / films)


def _reseed(model: keras.Model, seed: int) -> None:
    """Sets the state of every layer that draws, so that an epoch's draws follow from its number."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _reseed(layer, seed)
        elif (generator := getattr(layer, "seed_generator", None)) is not None:
            generator.state.assign([seed, 0])


def _checkpoint(folder: str, epoch: int) -> str:
    return os.path.join(folder, f"epoch-{epoch:04d}.npz")


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Returns the weights and the optimizer's state, in an order that the architecture gives."""
    return [*model.variables, *model.optimizer.variables]


def _load(model: keras.Model, path: str) -> None:
    with np.load(path) as arrays:
        for number, variable in enumerate(_variables(model)):
            variable.assign(arrays[f"arr_{number}"])


def _save(model: keras.Model, history: Sequence[Epoch], folder: str) -> None:
    """Writes the checkpoint, then the history that counts it; drops what neither needs."""
    last, best = history[-1].epoch, best_epoch(history).epoch
    with replacing(Path(_checkpoint(folder, last))) as part, part.open("wb") as file:
        np.savez(file, *[np.asarray(variable) for variable in _variables(model)])
    write_history(history, folder)
    for epoch in {line.epoch for line in history} - {last, best}:
        if os.path.exists(_checkpoint(folder, epoch)):
            os.remove(_checkpoint(folder, epoch))


def write_history(history: Sequence[Epoch], folder: str) -> None:
    """Writes the epochs as JSON; the file is replaced whole."""
    with replacing(Path(folder, HISTORY_FILE)) as part, part.open("w") as file:
        json.dump([line._asdict() for line in history], file, indent=1)


def _log(writer: tf.summary.SummaryWriter, line: Epoch) -> None:
    with writer.as_default(step=line.epoch):
        for name in ("loss", "accuracy", "eval_loss", "eval_auc"):
            tf.summary.scalar(name, getattr(line, name))
    writer.flush()
