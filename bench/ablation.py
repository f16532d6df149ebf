"""What the parts of the recipe are worth: the same training with one thing done otherwise.

    python -m bench.ablation --run runs/holdout-1 --output ablation [--set KEY=VALUE] [ROW ...]

The run is one of `cxr run` on a data set that `bench.holdout` made: its test split is films that
may be tuned on and are unlike those of train. Each row trains on the films that the run's Transform
wrote, and scores eval, test, and films of eval changed as the evaluator's stress test changes them;
the scores stay in the output folder, and a row whose scores are there is not trained again. The
table holds the rows against the first one, on the same films.
"""

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from bench.runs import examples, transformed_files
from components.evaluator.blanking import encode_png
from components.evaluator.changes import CHANGES
from components.evaluator.metrics import binary_metrics
from components.evaluator.stress import choose_films
from components.evaluator.threshold import youden_threshold
from components.films.picture import decode_grey
from components.shared.errors import InputError
from components.shared.features import EVAL, IMAGE, LABEL, PATIENT, TEST, TRAIN
from components.shared.record import decode
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.paired import Reading, differences
from components.trainer import model, targets
from components.trainer.augment import central
from components.trainer.embeddings import views
from components.trainer.films import open_split
from components.trainer.frozen import freeze, precision
from components.trainer.run_fn import Training
from components.trainer.settings import RunSettings
from components.transform.preprocessing import preprocess_film
from pipeline.config import Config, load_config
from pipeline.graph import trainer_settings

BASE = "default"
MIRRORED = "mean of film and mirror image"
_SMOOTHING = 0.1
_MOMENTUM = 0.99
_AREA = "trainer.augmentation.min_area={}"
_ZOOM = "trainer.augmentation.zoom={}"
# Of each class of eval: changed in every way, in a minute on two cores.
_STRESSED = 30
_BOOTSTRAP = Bootstrap(2000, seed=1)
_BATCH = 32
# As they are before anything is replaced.
_loss, _compiled, _groups = targets.loss, model.compiled, targets.groups


def smoothed_loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns `targets.loss`, [N], with a tenth of each film's target spread over all classes.

    Szegedy et al. 2016 (CVPR). Of one logit the classes are it and zero.
    """
    if logits.shape[-1] == 1:
        logits = keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=1)
        target = keras.ops.concatenate([1.0 - target, target], axis=1)
    each = -keras.ops.mean(keras.ops.log_softmax(logits, axis=1), axis=1)
    return (1.0 - _SMOOTHING) * _loss(target, logits) + _SMOOTHING * each


def averaged(net: keras.Model, settings: RunSettings, steps: int) -> keras.Model:
    """Returns `model.compiled`, its weights replaced after each epoch by their moving average."""
    net = _compiled(net, settings, steps)
    net.optimizer.use_ema = True
    net.optimizer.ema_momentum = _MOMENTUM
    net.optimizer.ema_overwrite_frequency = steps // settings.epochs
    return net


def undersampled(target: np.ndarray) -> list[np.ndarray]:
    """Returns `targets.groups` with no more pneumonias, in their proportions, than normal films."""
    normal, *others = _groups(target)
    share = min(1.0, len(normal) / sum(map(len, others)))
    rng = np.random.default_rng(1)
    return [normal, *(rng.permutation(rows)[: round(share * len(rows))] for rows in others)]


class Row(NamedTuple):
    """One thing done otherwise.

    Attributes:
        overrides: settings, as of `--set`.
        change: what is replaced in the code meanwhile.
    """

    overrides: tuple[str, ...] = ()
    change: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


ROWS: Mapping[str, Row] = {
    BASE: Row(),
    "no cut-outs": Row((_AREA.format(1.0), _ZOOM.format(0.0))),
    "cut-outs of 0.8 and more": Row((_AREA.format(0.8),)),
    "cut-outs of 0.5 and more": Row((_AREA.format(0.5),)),
    "cut-outs of 0.25 and more": Row((_AREA.format(0.25),)),
    "square cut-outs": Row(("trainer.augmentation.aspect_ratio=1.0",)),
    "square cut-outs of 0.25 and more": Row(
        (_AREA.format(0.25), "trainer.augmentation.aspect_ratio=1.0")
    ),
    "shapes not evened": Row(("trainer.augmentation.even_shapes=false",)),
    "nothing beyond the edge": Row((_ZOOM.format(0.0),)),
    "neither turned nor sheared": Row(
        ("trainer.augmentation.rotation=0.0", "trainer.augmentation.shear=0.0")
    ),
    "gamma as it is": Row(("trainer.augmentation.gamma=0.0",)),
    "sharpness as it is": Row(("trainer.augmentation.sharpness=0.0",)),
    "no noise": Row(("trainer.augmentation.noise=0.0",)),
    "trained at 160 pixels": Row(("trainer.train_size=160",)),
    "trained at 224 pixels": Row(("trainer.train_size=224",)),
    "conv5 alone": Row(("trainer.fine_tune=conv5",)),
    "conv4 and conv5 alone": Row(("trainer.fine_tune=conv4",)),
    "the stem too": Row(("trainer.fine_tune=conv1",)),
    "half of the learning rate": Row(("trainer.learning_rate=0.0001",)),
    "undersampled": Row((), lambda: mock.patch.object(targets, "groups", undersampled)),
    "weights averaged": Row((), lambda: mock.patch.object(model, "compiled", averaged)),
    "labels smoothed": Row((), lambda: mock.patch.object(targets, "loss", smoothed_loss)),
    "normal or pneumonia": Row(("trainer.target=label",)),
    "no mirror images": Row(("trainer.augmentation.flip=false",)),
}


class Found(NamedTuple):
    """The probabilities that a trained net gives.

    Attributes:
        evaluation: [M], of the eval split.
        test: [N].
        stressed: [C, K], of K films of eval after each of the changes.
        seconds: that the training took.
    """

    evaluation: np.ndarray
    test: np.ndarray
    stressed: np.ndarray
    seconds: float


class Stressed(NamedTuple):
    """Films of eval as other machines would have made them.

    Attributes:
        labels: [K].
        pictures: uint8 [C, K, S, S, 1], what the net sees of each film after each change.
    """

    labels: np.ndarray
    pictures: np.ndarray


def change_films(run: Path, config: Config) -> Stressed:
    """Changes the same films of a run's eval split in every way, and sees them as the net does."""
    records = [decode(record, LABEL, PATIENT, IMAGE) for record in examples(run, EVAL)]
    labels = np.array([film[LABEL] for film in records])
    keys = [film[PATIENT] for film in records]
    chosen = np.flatnonzero(choose_films(keys, labels, _STRESSED, config.seed))
    films = [decode_grey(records[row][IMAGE]) for row in chosen]
    seen = as_seen(config)
    pictures = [[seen(encode_png(change.apply(film))) for film in films] for change in CHANGES]
    return Stressed(labels[chosen], np.array(pictures))


def as_seen(config: Config) -> Callable[[bytes], tf.Tensor]:
    """Returns what makes of a film's bytes what the net sees of it, uint8 [S, S, 1]."""
    size, square = config.transform.input_size, config.transform.square

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def seen(data: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_png(preprocess_film(data, size, square), channels=1)
        picture = tf.ensure_shape(picture, [size, size, 1])
        return central(picture[tf.newaxis], round(config.trainer.crop * size))[0]

    return seen


def pictures_of_test(run: Path, config: Config) -> tf.data.Dataset:
    """Returns batches of a run's test films as the net sees them, float32 [n, S, S, 1].

    No node needs them, so Transform writes none.
    """
    seen = as_seen(config)
    pictures = np.stack([seen(decode(record, IMAGE)[IMAGE]) for record in examples(run, TEST)])
    batches = tf.data.Dataset.from_tensor_slices(pictures).batch(_BATCH)
    return batches.map(lambda batch: tf.cast(batch, tf.float32))


def train(
    run: Path, overrides: Sequence[str], folder: Path, stressed: Stressed, mirrored: bool
) -> list[Found]:
    """Trains as the run's Trainer does, with other settings.

    Args:
        run: whose films.
        overrides: settings, as of `--set`.
        folder: of checkpoints and logs.
        stressed: changed films, to be scored too.
        mirrored: whether the films' mirror images are scored too.

    Returns:
        What the net says of the films; then, if asked for, of them and their mirror images on
        average.
    """
    config = load_config(str(run / "config.yaml"), overrides)
    settings = trainer_settings(config, str(folder))
    splits = {name: open_split(transformed_files(run, name)) for name in (TRAIN, EVAL)}
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with precision(settings.precision):
        trained = Training(settings, splits[TRAIN], splits[EVAL], str(folder))
        trained.run(str(folder / "logs"))
        seconds = time.monotonic() - started
        net = model.join(trained.backbone, trained.head)
        forward = freeze(model.chained(net.feature_maps, net.log_odds))
        steps = (1, -1) if mirrored else (1,)
        evaluation = log_odds(forward, views(splits[EVAL], settings, None), steps)
        test = log_odds(forward, pictures_of_test(run, config), steps)
        changed = np.stack(
            [
                log_odds(forward, [tf.cast(pictures, tf.float32)], steps)
                for pictures in stressed.pictures
            ],
            axis=1,
        )
    return [
        Found(
            expit(evaluation[:ways].mean(axis=0)),
            expit(test[:ways].mean(axis=0)),
            expit(changed[:ways].mean(axis=0)),
            seconds,
        )
        for ways in range(1, len(steps) + 1)
    ]


def log_odds(
    forward: Callable[[tf.Tensor], tf.Tensor], batches: Iterable[tf.Tensor], steps: Sequence[int]
) -> np.ndarray:
    """Returns log odds of pneumonia, float64 [K, N].

    Args:
        forward: the net, from what it sees of n films to [n, 1].
        batches: of what it sees of N films, float32 [n, S, S, 1] each.
        steps: K, 1 for the films as they are, -1 for their mirror images.
    """
    odds = [[forward(batch[:, :, ::step])[:, 0] for step in steps] for batch in batches]
    return np.concatenate(odds, axis=1).astype(np.float64)


def table(run: Path, labels: np.ndarray, found: Mapping[str, Found]) -> str:
    """Returns the rows as Markdown, held against the one named BASE.

    Args:
        run: whose films were scored.
        labels: [K], of the changed films.
        found: the scores, by row.
    """
    eval_labels = open_split(transformed_files(run, EVAL)).labels
    films = [decode(record, LABEL, PATIENT) for record in examples(run, TEST)]
    test_labels, keys = np.array([film[LABEL] for film in films]), [film[PATIENT] for film in films]
    points = {
        name: youden_threshold(eval_labels, row.evaluation).threshold for name, row in found.items()
    }
    base = Reading(found[BASE].test, points[BASE])
    lines = [
        "| | AUC | less the first (95 %) | recall | specificity | balanced accuracy "
        "| changed films, mean | lowest | | training, s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        values = binary_metrics(test_labels, row.test, points[name]).values
        reading = Reading(row.test, points[name])
        apart = differences(test_labels, keys, reading, base, _BOOTSTRAP)["auc"]
        low, high = apart.interval
        difference = "" if name == BASE else f"{apart.value:+.4f} ({low:+.4f} to {high:+.4f})"
        changed = [
            binary_metrics(labels, scores, points[name]).value("balanced_accuracy")
            for scores in row.stressed
        ]
        lines.append(
            f"| {name} | {values['auc']:.4f} | {difference} | {values['recall']:.3f} "
            f"| {values['specificity']:.3f} | {values['balanced_accuracy']:.3f} "
            f"| {np.mean(changed):.3f} | {min(changed):.3f} "
            f"| {CHANGES[int(np.argmin(changed))].name} | {row.seconds:.0f} |"
        )
    return "\n".join(lines)


def _path(output: Path, name: str) -> Path:
    return output / f"{name.replace(' ', '-')}.npz"


def _save(path: Path, found: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **found._asdict())


def _load(path: Path) -> Found:
    with np.load(path) as arrays:
        return Found(
            arrays["evaluation"], arrays["test"], arrays["stressed"], float(arrays["seconds"])
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of cxr run on a hold-out")
    parser.add_argument("--output", type=Path, required=True, help="folder of the scores")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="of all rows")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {', '.join(ROWS)}")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.rows) - set(ROWS))
    if unknown:
        parser.error(f"{unknown[0]!r} is no row; the rows are {', '.join(ROWS)}")
    try:
        stressed = change_films(
            options.run, load_config(str(options.run / "config.yaml"), options.overrides)
        )
        for name in options.rows or ROWS:
            path = _path(options.output, name)
            if not path.exists():
                with ROWS[name].change():
                    overrides = [*options.overrides, *ROWS[name].overrides]
                    folder = path.with_suffix("")
                    found, *mirrored = train(options.run, overrides, folder, stressed, name == BASE)
                for more in mirrored:
                    _save(_path(options.output, MIRRORED), more)
                _save(path, found)
                shutil.rmtree(folder)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    paths = {name: _path(options.output, name) for name in (*ROWS, MIRRORED)}
    scores = {name: _load(path) for name, path in paths.items() if path.exists()}
    print(table(options.run, stressed.labels, scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
