"""TFX Trainer's entry point."""

import hashlib
import json
import os
import shutil
import time
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.errors import InputError
from components.features import CLASSES
from components.trainer import balance, model, training
from components.trainer.backbone import build_backbone, file_state
from components.trainer.embeddings import Embeddings
from components.trainer.export import export
from components.trainer.films import Split, films, open_split
from components.trainer.settings import Settings

COST_FILE = "cost.json"
_EVAL_BATCH = 32


def run_fn(fn_args: FnArgs) -> None:
    """Trains a net on the transformed Examples and exports it.

    Args:
        fn_args: TFX's; `custom_config` is `Settings.to_custom_config()`. The SavedModel goes to
            `serving_model_dir`; TensorBoard's logs, `history.json` and `cost.json` to
            `model_run_dir`.

    Raises:
        InputError: the backbone cannot be loaded, or a class has no films.
    """
    settings = Settings.from_custom_config(fn_args.custom_config)
    train, evaluation = open_split(fn_args.train_files), open_split(fn_args.eval_files)
    for split, name in ((train, "train"), (evaluation, "eval")):
        for label, class_name in enumerate(CLASSES):
            if not (split.labels == label).any():
                raise InputError(f"The {name} split holds no {class_name} film.")
    folder = _work_folder(settings, train, evaluation)
    tf.io.gfile.makedirs(fn_args.model_run_dir)

    backbone = build_backbone(settings.backbone, settings.input_size, settings.seed)
    log_dir = os.path.join(fn_args.model_run_dir, "logs")
    train_way = _train_plainly if settings.views is None else _train_on_features
    net, history, cost = train_way(backbone, train, evaluation, settings, folder, log_dir)

    _write_json(
        os.path.join(fn_args.model_run_dir, training.HISTORY_FILE),
        [line._asdict() for line in history],
    )
    _write_json(os.path.join(fn_args.model_run_dir, COST_FILE), cost)
    export(net, tft.TFTransformOutput(fn_args.transform_graph_path), fn_args.serving_model_dir)
    shutil.rmtree(folder)


def _train_on_features(
    backbone: keras.Model,
    train: Split,
    evaluation: Split,
    settings: Settings,
    folder: str,
    log_dir: str,
) -> tuple[keras.Model, list[training.Epoch], dict[str, Any]]:
    """Trains the head on features that the backbone gives once."""
    features = Embeddings(backbone, train, evaluation, settings, folder)
    started = time.monotonic()
    head, history = training.fit_epochs(
        model.build_head(backbone.output_shape[-1], settings),
        lambda epoch: balance.balanced_epoch(
            [features.of_class(label, epoch) for label in (0, 1)],
            features.sizes(),
            settings.batch_size,
            settings.seed,
            epoch,
        ),
        tf.data.Dataset.from_tensor_slices(features.eval_features).batch(1024),
        features.eval_labels,
        settings,
        folder,
        log_dir,
    )
    films_seen = len(features.views) * len(train.labels) + len(evaluation.labels)
    shown = balance.steps_per_epoch(features.sizes(), settings.batch_size) * settings.batch_size
    per_film = features.seconds / films_seen
    cost = {
        "films_through_backbone": films_seen,
        "backbone_seconds": features.seconds,
        "epochs_seconds": time.monotonic() - started,
        # What the frozen net alone would have taken, run again in every epoch as a plain fit does.
        "backbone_seconds_every_epoch": per_film * len(history) * (shown + len(evaluation.labels)),
    }
    return model.join(backbone, head), history, cost


def _train_plainly(
    backbone: keras.Model,
    train: Split,
    evaluation: Split,
    settings: Settings,
    folder: str,
    log_dir: str,
) -> tuple[keras.Model, list[training.Epoch], dict[str, Any]]:
    """Trains the whole net, the frozen part of it run again in every step."""
    started = time.monotonic()
    head = model.build_head(backbone.output_shape[-1], settings)
    sizes = [int((train.labels == label).sum()) for label in (0, 1)]

    def epoch_data(epoch: int) -> tf.data.Dataset:
        pictures = films(train, settings.seed, epoch, settings.augmentation)
        classes = [
            pictures.filter(lambda _, found, label=label: found == float(label)) for label in (0, 1)
        ]
        return balance.balanced_epoch(classes, sizes, settings.batch_size, settings.seed, epoch)

    net, history = training.fit_epochs(
        model.compiled(model.join(backbone, head), settings),
        epoch_data,
        films(evaluation, settings.seed).map(lambda picture, _: picture).batch(_EVAL_BATCH),
        evaluation.labels,
        settings,
        folder,
        log_dir,
    )
    return net, history, {"epochs_seconds": time.monotonic() - started}


def _work_folder(settings: Settings, train: Split, evaluation: Split) -> str:
    """Returns the folder of checkpoints: the same data, settings and weights find it again.

    The data are named by their Examples' folders, which TFX never writes twice.
    """
    state = file_state(settings.backbone)
    key = json.dumps([settings.to_custom_config(), state, train.files, evaluation.files])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = os.path.join(settings.work_dir, name)
    os.makedirs(folder, exist_ok=True)
    return folder


def _write_json(path: str, content: object) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(content, indent=1))
