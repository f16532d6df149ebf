"""TFX Trainer's entry point."""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.shared.artifacts import COST_FILE
from components.shared.errors import InputError
from components.shared.features import CLASSES
from components.trainer import balance, model, targets, training
from components.trainer.augment import augment
from components.trainer.backbone import build_backbone
from components.trainer.embeddings import Embeddings
from components.trainer.export import export
from components.trainer.films import Split, open_split, read_view, records
from components.trainer.frozen import FrozenLayer, precision
from components.trainer.settings import RunSettings
from components.trainer.shapes import evening
from components.trainer.unfinished import claimed, kept_precision, work_folder, worker_folder
from components.trainer.workers import check_batch, is_chief, strategy_for, worker_name


def run_fn(fn_args: FnArgs) -> None:
    """Trains a net on the transformed Examples and exports it.

    Args:
        fn_args: TFX's; `custom_config` is `RunSettings.model_dump()`. The SavedModel goes to
            `serving_model_dir`; TensorBoard's logs, `history.json` and `cost.json` to
            `model_run_dir`.

    Raises:
        InputError: the backbone cannot be loaded, a class has no films, or a setting does not fit
            the data.
    """
    settings = RunSettings(**fn_args.custom_config)
    strategy = strategy_for(settings.distribution)
    train, evaluation = open_split(fn_args.train_files), open_split(fn_args.eval_files)
    for split, name in ((train, "train"), (evaluation, "eval")):
        for label, class_name in enumerate(CLASSES):
            if not (split.labels == label).any():
                raise InputError(f"The {name} split holds no {class_name} film.")
    folder = work_folder(settings, train, evaluation)
    tf.io.gfile.makedirs(fn_args.model_run_dir)

    with strategy.scope():
        check_batch(settings.batch_size)
        chief = is_chief()
    with claimed(folder) if chief else nullcontext():
        with strategy.scope(), precision(kept_precision(worker_folder(folder), settings.precision)):
            trained = Training(settings, train, evaluation, folder)
            trained.run(os.path.join(fn_args.model_run_dir, "logs", worker_name()))
        if not chief:
            return
        _write_json(
            os.path.join(fn_args.model_run_dir, training.HISTORY_FILE),
            [line._asdict() for line in trained.history],
        )
        _write_json(os.path.join(fn_args.model_run_dir, COST_FILE), trained.cost)
        net = model.join(trained.backbone, trained.head)
        transform = tft.TFTransformOutput(fn_args.transform_graph_path)
        export(net, transform, settings.input_size, fn_args.serving_model_dir)


class Training:
    """One net in training: its parts, its data, and what came of it.

    What is frozen for good runs once over what it sees again: the eval split, and, where nothing
    below the head is trained, each view of each film.
    """

    def __init__(self, settings: RunSettings, train: Split, evaluation: Split, folder: str) -> None:
        """Builds the net."""
        self._settings, self._train, self._evaluation = settings, train, evaluation
        self._folder = folder
        self.backbone = build_backbone(
            settings.backbone, settings.net_size, settings.seed, settings.fine_tune
        )
        self._classes = targets.target_classes(settings.target, train.labels, train.subtypes)
        self.head = model.build_head(
            self.backbone.tuned.output_shape[-1], len(self._classes), settings
        )
        self._target = targets.encode(train.labels, train.subtypes, self._classes)
        self._groups = targets.groups(self._target)
        if settings.batch_size < 2 * (len(self._groups) - 1):
            raise InputError(
                f"trainer.batch_size is {settings.batch_size}: half of it must hold a film of each "
                f"of {len(self._groups) - 1} kinds of pneumonia."
            )
        self.history: list[training.Epoch] = []
        self.cost: dict[str, float] = {}

    def run(self, log_dir: str) -> None:
        """Trains."""
        settings, backbone = self._settings, self.backbone
        cached = settings.views is not None
        # Cached is what the trained net takes: the pooled features, where that is the head alone.
        frozen_net = model.chained(backbone.frozen, backbone.tuned) if cached else backbone.frozen
        trained_net = self.head if cached else model.chained(backbone.tuned, self.head)
        frozen = FrozenLayer(frozen_net)
        embeddings = Embeddings(
            frozen.call,
            frozen_net.output_shape[1:],
            self._train,
            self._evaluation,
            settings,
            worker_folder(self._folder),
        )
        started = time.monotonic()
        scored = tf.function(model.pneumonia_scorer(trained_net))
        on_views = trained_net if cached else self._on_views(frozen, trained_net)
        steps = settings.epochs * balance.steps_per_epoch(self._sizes(), settings.batch_size)
        self.history = training.fit_epochs(
            model.compiled(on_views, settings, steps),
            lambda epoch: self._batches(epoch, embeddings if cached else None),
            lambda: _scores(scored, embeddings.eval_batches()),
            self._evaluation.labels,
            settings,
            self._folder,
            log_dir,
        )
        self.cost = self._costs(embeddings, time.monotonic() - started)

    def _on_views(self, frozen: FrozenLayer, trained_net: keras.Model) -> keras.Model:
        """Returns the net, from pictures of the size that it is trained on."""
        size = self._settings.view_size
        if size == self._settings.net_size:
            return model.chained(frozen, trained_net)
        resized = self.backbone.resized(size)
        return model.chained(FrozenLayer(resized.frozen), model.chained(resized.tuned, self.head))

    def _sizes(self) -> list[int]:
        return [len(rows) for rows in self._groups]

    def _batches(self, epoch: int, embeddings: Embeddings | None) -> tf.data.Dataset:
        """Returns the epoch's batches, (features, target) or (pictures, target)."""
        settings, target = self._settings, tf.constant(self._target)
        widening = tf.constant(evening(self._train.labels, self._train.squashed))

        def balanced(groups: Sequence[tf.data.Dataset], load: Callable[..., object]) -> Any:
            sizes, size = self._sizes(), settings.batch_size
            return balance.balanced_epoch(groups, sizes, size, settings.seed, epoch, load)

        if embeddings is not None:
            fetch = embeddings.fetch(epoch)
            groups = [tf.data.Dataset.from_tensor_slices(rows) for rows in self._groups]
            return balanced(groups, lambda row: (fetch(row), target[row]))

        def load(row: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
            picture, draws = read_view(record, epoch, settings.seed, settings.input_size)
            return picture, draws, widening[row], target[row]

        def cut(
            pictures: tf.Tensor, draws: tf.Tensor, wider: tf.Tensor, wanted: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            seen, size = settings.net_size, settings.view_size
            return augment(pictures, draws, wider, settings.augmentation, seen, size), wanted

        groups = [records(self._train, rows) for rows in self._groups]
        return balanced(groups, load).map(cut).prefetch(1)

    def _costs(self, embeddings: Embeddings, seconds: float) -> dict[str, float]:
        """Returns seconds by what took them, and what a plain fit's frozen net would take."""
        cost = {
            "films_through_backbone": embeddings.films,
            "backbone_seconds": embeddings.seconds,
            "epochs_seconds": seconds,
        }
        if self._settings.views is not None:
            shown = len(self._train.labels) + len(self._evaluation.labels)
            again = embeddings.seconds / embeddings.films * shown * len(self.history)
            cost["backbone_seconds_every_epoch"] = again
        return cost


def _scores(scored: Callable[[tf.Tensor], tf.Tensor], batches: tf.data.Dataset) -> np.ndarray:
    return np.concatenate([scored(batch).numpy()[:, 0] for batch in batches])


def _write_json(path: str, content: object) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(content, indent=1))
