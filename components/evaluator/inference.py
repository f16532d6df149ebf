"""One batched pass of a SavedModel over Examples, as a Beam transform."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils.shared import Shared

from components.evaluator.blanking import encode_png
from components.evaluator.changes import Apply
from components.evaluator.correlations import sharpness
from components.evaluator.predictions import Prediction, Predictions
from components.films.picture import decode_grey
from components.shared.errors import InputError
from components.shared.features import (
    EXAMPLES,
    FILE_NAME,
    HEIGHT,
    IMAGE,
    LABEL,
    MEAN,
    PATIENT,
    PROBABILITY,
    SIGNATURE_EXAMPLES,
    SUBTYPE,
    THRESHOLD,
    WIDTH,
)
from components.shared.progress import advance
from components.shared.record import decode, encode

# Large enough to fill two cores, small enough for full-size films.
_BATCH = 32
_MODELS = Shared()


def load_model(path: str) -> Any:
    """Loads a SavedModel; whoever asks this process for it next is given the same copy."""
    return _MODELS.acquire(lambda: tf.saved_model.load(path), tag=path)


def forget_models() -> None:
    """Frees what `load_model` keeps, which would outlive TensorFlow where this process ends."""
    _MODELS.acquire(lambda: None, tag=None)


class Pass(NamedTuple):
    """Films to predict.

    Attributes:
        uri: the folder of TFRecord files.
        changes: what is done to each film, by what the predictions have as their split; None for
            the film as it is.
        only: the names of the films wanted; None for all.
    """

    uri: str
    changes: Mapping[str, Apply | None]
    only: frozenset[str] | None = None

    def films(self, record: bytes) -> Iterator[tuple[str, bytes]]:
        """Yields for each change the split's name and the serialized Example of the changed film.

        Args:
            record: a serialized Example.
        """
        film = decode(record)
        if self.only is not None and film[FILE_NAME] not in self.only:
            return
        for split, change in self.changes.items():
            if change is None:
                yield split, record
            else:
                changed = encode_png(change(decode_grey(film[IMAGE])))
                yield split, encode({**film, IMAGE: changed})


class PredictFn(beam.DoFn):
    """Batches of serialized Examples -> predictions, by the signature that servers offer too."""

    def __init__(self, model: str) -> None:
        """Takes the SavedModel's folder."""
        self._path = model
        self._model: Any = None

    def setup(self) -> None:
        """Loads the model."""
        self._model = load_model(self._path)

    def process(self, batch: Sequence[tuple[str, bytes]]) -> Iterator[Prediction]:
        """Predicts one batch of films, each with the name of its split."""
        serve = self._model.signatures[SIGNATURE_EXAMPLES]
        records = tf.constant([record for _, record in batch])
        answer = {k: v.numpy() for k, v in serve(**{EXAMPLES: records}).items()}
        advance("Predicting", len(batch))
        for row, (split, record) in enumerate(batch):
            film = decode(record)
            yield Prediction(
                split=split,
                file_name=film[FILE_NAME],
                patient=film[PATIENT],
                label=film[LABEL],
                subtype=film[SUBTYPE],
                width=film[WIDTH],
                height=film[HEIGHT],
                mean=film[MEAN],
                bytes=len(film[IMAGE]),
                sharpness=sharpness(decode_grey(film[IMAGE])),
                probability=float(answer[PROBABILITY][row]),
                threshold=float(answer[THRESHOLD][row]),
            )


@beam.ptransform_fn
def Predict(root: beam.Pipeline, model: str, passes: Sequence[Pass]) -> beam.PCollection:
    """Reads Examples and predicts them.

    Args:
        root: the pipeline.
        model: the SavedModel's folder.
        passes: over which films; no split and no folder twice.

    Returns:
        Predictions as lines of JSON.
    """
    return [
        root
        | f"Read[{read.uri}]" >> beam.io.ReadFromTFRecord(f"{read.uri}/*")
        | f"Change[{read.uri}]" >> beam.FlatMap(read.films)
        | f"Batch[{read.uri}]" >> beam.BatchElements(min_batch_size=_BATCH, max_batch_size=_BATCH)
        | f"Predict[{read.uri}]" >> beam.ParDo(PredictFn(model))
        | f"ToJson[{read.uri}]" >> beam.Map(lambda row: json.dumps(row._asdict()))
        for read in passes
    ] | beam.Flatten()


def read_predictions(pattern: str) -> list[Prediction]:
    """Reads what a pipeline wrote, in the order of the file names."""
    rows = []
    for path in tf.io.gfile.glob(pattern):
        with tf.io.gfile.GFile(path) as file:
            rows += [Prediction(**json.loads(line)) for line in file]
    return sorted(rows, key=lambda row: (row.split, row.file_name))


def count_unusable(rows: Sequence[Prediction]) -> int:
    """Returns how many probabilities are no numbers."""
    return sum(not math.isfinite(row.probability) for row in rows)


def usable(rows: Sequence[Prediction]) -> list[Prediction]:
    """Returns the predictions, a probability that is no number as 0.5: it says nothing."""
    return [
        row if math.isfinite(row.probability) else row._replace(probability=0.5) for row in rows
    ]


def of_split(rows: Sequence[Prediction], split: str) -> Predictions:
    """Returns one split's predictions as arrays.

    Raises:
        InputError: the split has none.
    """
    chosen = [row for row in rows if row.split == split]
    if not chosen:
        raise InputError(f"The {split} split holds no films to evaluate.")
    return Predictions(
        file_names=[row.file_name for row in chosen],
        patients=[row.patient for row in chosen],
        labels=np.array([row.label for row in chosen]),
        subtypes=[row.subtype for row in chosen],
        widths=np.array([row.width for row in chosen]),
        heights=np.array([row.height for row in chosen]),
        means=np.array([row.mean for row in chosen]),
        sizes=np.array([row.bytes for row in chosen]),
        sharpness=np.array([row.sharpness for row in chosen]),
        scores=np.array([row.probability for row in chosen], dtype=np.float32),
    )
