"""What the parts of the recipe are worth: the same training with one thing done otherwise.

    python -m bench.ablation --run runs/holdout-1 --output ablation [--set KEY=VALUE] [ROW ...]

The run is one of `cxr run` on a data set that `bench.holdout` made: its test split is a block of
films that may be tuned on. Each row trains on the films that the run's Transform wrote and scores
eval and test; the scores stay in the output folder, and a row whose scores are there is not trained
again. The table holds the rows against the first one, on the same films.
"""

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from bench.runs import transformed_files
from components.errors import InputError
from components.evaluator.metrics import binary_metrics
from components.evaluator.threshold import youden_threshold
from components.features import EVAL, PATIENT, TEST, TRAIN
from components.trainer import model, targets
from components.trainer.embeddings import views
from components.trainer.films import Split, open_split
from components.trainer.frozen import freeze, precision
from components.trainer.run_fn import Training
from components.trainer.settings import Settings
from pipeline.config import load_config
from pipeline.graph import trainer_settings
from pipeline.report.paired import Reading, differences

BASE = "default"
MIRRORED = "mean of film and mirror image"
_SMOOTHING = 0.1
_MOMENTUM = 0.99
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


def averaged(net: keras.Model, settings: Settings, steps: int) -> keras.Model:
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
    "trained at full size": Row(("trainer.train_size=null",)),
    "trained at 128 pixels": Row(("trainer.train_size=128",)),
    "conv4 trained too": Row(("trainer.fine_tune=conv4",)),
    "all of it frozen": Row(("trainer.fine_tune=null",)),
    "undersampled": Row((), lambda: mock.patch.object(targets, "groups", undersampled)),
    "12 epochs, or until eval stops rising": Row(("trainer.epochs=12", "trainer.patience=3")),
    "weights averaged": Row((), lambda: mock.patch.object(model, "compiled", averaged)),
    "labels smoothed": Row((), lambda: mock.patch.object(targets, "loss", smoothed_loss)),
    "normal or pneumonia": Row(("trainer.target=label",)),
    "no cut-outs": Row(("trainer.augmentation.min_area=null",)),
    "no mirror images": Row(("trainer.augmentation.flip=false",)),
}


class Found(NamedTuple):
    """The probabilities that a trained net gives.

    Attributes:
        evaluation: [M], of the eval split.
        test: [N].
        seconds: that the training took.
    """

    evaluation: np.ndarray
    test: np.ndarray
    seconds: float


def train(run: Path, overrides: Sequence[str], folder: Path, mirrored: bool) -> list[Found]:
    """Trains as the run's Trainer does, with other settings.

    Args:
        run: whose films.
        overrides: settings, as of `--set`.
        folder: of checkpoints and logs.
        mirrored: whether the films' mirror images are scored too.

    Returns:
        What the net says of the films; then, if asked for, of them and their mirror images on
        average.
    """
    config = load_config(str(run / "config.yaml"), overrides)
    settings = trainer_settings(config, str(folder))
    splits = {name: open_split(transformed_files(run, name)) for name in (TRAIN, EVAL, TEST)}
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with precision(settings.precision):
        trained = Training(settings, splits[TRAIN], splits[EVAL], str(folder))
        trained.run(str(folder / "logs"))
        seconds = time.monotonic() - started
        net = model.join(trained.backbone, trained.head)
        forward = freeze(model.on(net.maps, net.score))
        steps = (1, -1) if mirrored else (1,)
        evaluation, test = (
            log_odds(forward, splits[name], settings, steps) for name in (EVAL, TEST)
        )
    return [
        Found(expit(evaluation[:ways].mean(axis=0)), expit(test[:ways].mean(axis=0)), seconds)
        for ways in range(1, len(steps) + 1)
    ]


def log_odds(
    forward: Callable[[tf.Tensor], tf.Tensor],
    split: Split,
    settings: Settings,
    steps: Sequence[int],
) -> np.ndarray:
    """Returns log odds of pneumonia, float64 [K, N].

    Args:
        forward: the net, from what it sees of n films to [n, 1].
        split: of N films.
        settings: of sizes.
        steps: K, 1 for the films as they are, -1 for their mirror images.
    """
    odds = [
        [forward(batch[:, :, ::step])[:, 0] for step in steps]
        for batch in views(split, settings, None)
    ]
    return np.concatenate(odds, axis=1).astype(np.float64)


def patients(run: Path, split: str) -> list[str]:
    """Returns the patient of each film of a split, in the order of its records."""
    records = tf.data.TFRecordDataset(transformed_files(run, split), compression_type="GZIP")
    return [
        tf.train.Example.FromString(record).features.feature[PATIENT].bytes_list.value[0].decode()
        for record in records.as_numpy_iterator()
    ]


def table(run: Path, found: Mapping[str, Found]) -> str:
    """Returns the rows as Markdown, held against the one named BASE."""
    labels = {name: open_split(transformed_files(run, name)).labels for name in (EVAL, TEST)}
    keys = patients(run, TEST)
    points = {
        name: youden_threshold(labels[EVAL], row.evaluation).threshold
        for name, row in found.items()
    }
    base = Reading(found[BASE].test, points[BASE])
    lines = [
        "| | AUC | less the first (95 %) | loss | recall | specificity | training, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        values = binary_metrics(labels[TEST], row.test, points[name])
        apart = differences(labels[TEST], keys, Reading(row.test, points[name]), base)["auc"]
        low, high = apart.interval
        change = "" if name == BASE else f"{apart.value:+.4f} ({low:+.4f} to {high:+.4f})"
        lines.append(
            f"| {name} | {values['auc']:.4f} | {change} | {values['loss']:.3f} "
            f"| {values['recall']:.3f} | {values['specificity']:.3f} | {row.seconds:.0f} |"
        )
    return "\n".join(lines)


def _path(output: Path, name: str) -> Path:
    return output / f"{name.replace(' ', '-')}.npz"


def _save(path: Path, found: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **found._asdict())


def _load(path: Path) -> Found:
    with np.load(path) as arrays:
        return Found(arrays["evaluation"], arrays["test"], float(arrays["seconds"]))


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
        for name in options.rows or ROWS:
            path = _path(options.output, name)
            if not path.exists():
                with ROWS[name].change():
                    overrides = [*options.overrides, *ROWS[name].overrides]
                    folder = path.with_suffix("")
                    found, *mirrored = train(options.run, overrides, folder, name == BASE)
                for more in mirrored:
                    _save(_path(options.output, MIRRORED), more)
                _save(path, found)
                shutil.rmtree(folder)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    paths = {name: _path(options.output, name) for name in (*ROWS, MIRRORED)}
    print(table(options.run, {name: _load(path) for name, path in paths.items() if path.exists()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
