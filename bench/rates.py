"""Films a second of the net, as the pipeline runs it and as plain Keras does.

    python -m bench.rates --run runs/default --backbone resnet50.keras

The run gives the films and a served model. All ways take turns on the same films, so that a machine
that slows down does so for both; medians of the rounds are printed as JSON.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from bench.runs import examples, newest_model
from components.films.picture import decode_grey
from components.shared.features import EXAMPLES, IMAGE, LABEL, SIGNATURE_EXAMPLES, TEST
from components.shared.record import decode
from components.trainer import model, targets, training
from components.trainer.backbone import build_backbone
from components.trainer.frozen import FrozenLayer, precision, resolved
from components.trainer.settings import RunSettings
from pipeline.config import load_config
from pipeline.graph import trainer_settings

_BATCH = 32
_ROUNDS = 7
_STEPS = 24
Batch = tuple[tf.Tensor, tf.Tensor]


class Films(NamedTuple):
    """Films of the test split.

    Attributes:
        records: the serialized Examples, N.
        pictures: float32 [N, S, S, 1], 0 to 255.
        labels: int64 [N].
    """

    records: list[bytes]
    pictures: np.ndarray
    labels: np.ndarray


def read_films(run: Path, number: int, size: int) -> Films:
    """Reads films of both classes, in turn."""
    by_label: dict[int, list[bytes]] = {0: [], 1: []}
    for record in examples(run, TEST):
        by_label[decode(record, LABEL)[LABEL]].append(record)
    pairs = zip(itertools.cycle(by_label[0]), itertools.cycle(by_label[1]), strict=False)
    records = list(itertools.islice(itertools.chain.from_iterable(pairs), number))
    pictures = []
    for record in records:
        data = decode(record, IMAGE)[IMAGE]
        pictures.append(cv2.resize(decode_grey(data), (size, size), interpolation=cv2.INTER_AREA))
    stacked = np.stack(pictures)[..., np.newaxis].astype(np.float32)
    return Films(records, stacked, np.arange(number) % 2)


def rates(ways: Mapping[str, Callable[[], object]], films: int) -> dict[str, float]:
    """Returns films a second of each way, the median of rounds in which they take turns.

    Args:
        ways: what to time by its name; each works on `films` films when called.
        films: how many.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(_ROUNDS + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if number:  # the first one traces
                seconds[name].append(time.perf_counter() - started)
    return {name: films / statistics.median(taken) for name, taken in seconds.items()}


def computed_in(name: str, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns what calls it as the Trainer does, in a precision.

    TensorFlow looks at this at each call, not when it traces.
    """

    def within(argument: Any) -> Any:
        with precision(name):
            return call(argument)

    return within


def forward_rates(run: Path, backbone: str, settings: RunSettings) -> dict[str, float]:
    """Returns the rates of the whole net without its head, plain, in Trainer and in evaluator."""
    films = read_films(run, 2 * _BATCH, settings.net_size)
    parts = build_backbone(backbone, settings.net_size, settings.seed)
    whole = model.chained(parts.frozen, parts.tuned)
    plain = tf.function(lambda batch: whole(batch, training=False), reduce_retracing=True)
    served = tf.saved_model.load(newest_model(run))
    serve = served.signatures[SIGNATURE_EXAMPLES]
    frozen = computed_in(settings.precision, FrozenLayer(whole).call)

    def each(call: Callable[[Any], Any], data: Any) -> Callable[[], object]:
        batches = [tf.constant(data[start : start + _BATCH]) for start in (0, _BATCH)]
        return lambda: [call(batch) for batch in batches]

    ways = {
        "plain": each(plain, films.pictures),
        "trainer": each(frozen, films.pictures),
        "evaluator": each(lambda batch: serve(**{EXAMPLES: batch}), films.records),
    }
    return rates(ways, 2 * _BATCH)


def tuning_rates(run: Path, backbone: str, settings: RunSettings) -> dict[str, Any]:
    """Returns the rates of training steps with the last stage tuned, and the losses they reach.

    Plain Keras, the Trainer's step on pictures of the same size, and on those that it trains on.
    """
    batches = {
        "plain": _batches(run, settings.net_size),
        "trainer": _batches(run, settings.net_size),
        "trainer_views": _batches(run, settings.view_size),
    }
    steps = {
        "plain": _plain_step(backbone, settings),
        "trainer": _trainer_step(backbone, settings, settings.net_size),
        "trainer_views": _trainer_step(backbone, settings, settings.view_size),
    }
    losses: dict[str, list[float]] = {name: [] for name in steps}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(_STEPS):
        for name, step in steps.items():
            batch = batches[name][number % len(batches[name])]
            started = time.perf_counter()
            losses[name].append(step(batch))
            if number:  # the first one traces
                seconds[name].append(time.perf_counter() - started)
    return {
        **{name: _BATCH / statistics.median(taken) for name, taken in seconds.items()},
        "loss": {name: statistics.mean(found[-8:]) for name, found in losses.items()},
    }


def _batches(run: Path, size: int) -> list[Batch]:
    films = read_films(run, 8 * _BATCH, size)
    target = targets.encode(films.labels, [""] * len(films.labels), ["pneumonia"])
    return [
        (tf.constant(films.pictures[rows]), tf.constant(target[rows]))
        for rows in np.array_split(np.arange(len(films.labels)), 8)
    ]


def _plain_step(backbone: str, settings: RunSettings) -> Callable[[Batch], float]:
    """Returns Keras' own step, which gives the loss of a batch."""
    parts = build_backbone(backbone, settings.net_size, settings.seed, settings.fine_tune)
    head = model.build_head(parts.tuned.output_shape[-1], 1, settings)
    net = model.compiled(
        model.chained(parts.frozen, model.chained(parts.tuned, head)), settings, _STEPS
    )

    def step(batch: Batch) -> float:
        net.reset_metrics()  # else it gives the mean since it began
        return float(net.train_on_batch(*batch))

    return step


def _trainer_step(backbone: str, settings: RunSettings, size: int) -> Callable[[Batch], float]:
    """Returns the Trainer's step, which gives the loss of a batch."""
    parts = build_backbone(backbone, size, settings.seed, settings.fine_tune)
    head = model.build_head(parts.tuned.output_shape[-1], 1, settings)
    trained = model.chained(parts.tuned, head)
    net = model.compiled(model.chained(FrozenLayer(parts.frozen), trained), settings, _STEPS)
    net.optimizer.build(net.trainable_variables)
    step = computed_in(settings.precision, training.train_step(net))
    return lambda batch: float(step(batch)[0]) / _BATCH


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of cxr run")
    parser.add_argument("--backbone", required=True, help="a Keras model file")
    options = parser.parse_args()
    settings = trainer_settings(load_config("default"), "")
    # Found once: inside it would be found again with every batch.
    settings = settings.changed(precision=resolved(settings.precision))
    print(
        json.dumps(
            {
                "forward": forward_rates(options.run, options.backbone, settings),
                "precision": settings.precision,
                "tuning": tuning_rates(options.run, options.backbone, settings),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
