"""One batched pass of a SavedModel over Examples, as a Beam transform."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils.shared import Shared

from components.errors import InputError
from components.evaluator.blanking import blank_centre
from components.evaluator.predictions import Prediction, Predictions
from components.features import (
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
from components.progress import advance

# Large enough to fill two cores, small enough for full-size films.
_BATCH = 32
_MODELS = Shared()


def load_model(path: str) -> Any:
    """Loads a SavedModel; whoever asks this process for it next is given the same copy."""
    return _MODELS.acquire(lambda: tf.saved_model.load(path), tag=path)


def blank_film(record: bytes) -> bytes:
    """Returns a serialized Example with the middle of its film blanked; see `blanking.py`."""
    example = tf.train.Example.FromString(record)
    image = example.features.feature[IMAGE].bytes_list
    image.value[0] = blank_centre(image.value[0])
    return example.SerializeToString(deterministic=True)


class PredictFn(beam.DoFn):
    """Batches of serialized Examples -> predictions, by the signature that servers offer too."""

    def __init__(self, model: str, split: str) -> None:
        """Takes the SavedModel's folder, and what to call the split."""
        self._path, self._split = model, split
        self._model: Any = None

    def setup(self) -> None:
        """Loads the model."""
        self._model = load_model(self._path)

    def process(self, batch: Sequence[bytes]) -> Iterator[Prediction]:
        """Predicts one batch."""
        serve = self._model.signatures[SIGNATURE_EXAMPLES]
        answer = {k: v.numpy() for k, v in serve(**{EXAMPLES: tf.constant(batch)}).items()}
        advance("Predicting", len(batch))
        for row, record in enumerate(batch):
            feature = tf.train.Example.FromString(record).features.feature
            yield Prediction(
                split=self._split,
                file_name=feature[FILE_NAME].bytes_list.value[0].decode(),
                patient=feature[PATIENT].bytes_list.value[0].decode(),
                label=int(feature[LABEL].int64_list.value[0]),
                subtype=feature[SUBTYPE].bytes_list.value[0].decode(),
                width=int(feature[WIDTH].int64_list.value[0]),
                height=int(feature[HEIGHT].int64_list.value[0]),
                mean=float(feature[MEAN].float_list.value[0]),
                bytes=len(feature[IMAGE].bytes_list.value[0]),
                probability=float(answer[PROBABILITY][row]),
                threshold=float(answer[THRESHOLD][row]),
            )


class Pass(NamedTuple):
    """Films to predict.

    Attributes:
        split: what the predictions have as their split.
        uri: the folder of TFRecord files.
        prepare: what is done to each serialized Example before.
    """

    split: str
    uri: str
    prepare: Callable[[bytes], bytes] = bytes


@beam.ptransform_fn
def Predict(root: beam.Pipeline, model: str, passes: Sequence[Pass]) -> beam.PCollection:
    """Reads Examples and predicts them.

    Args:
        root: the pipeline.
        model: the SavedModel's folder.
        passes: over which films; no split twice.

    Returns:
        Predictions as lines of JSON.
    """
    return [
        root
        | f"Read[{split}]" >> beam.io.ReadFromTFRecord(f"{uri}/*")
        | f"Prepare[{split}]" >> beam.Map(prepare)
        | f"Batch[{split}]" >> beam.BatchElements(min_batch_size=_BATCH, max_batch_size=_BATCH)
        | f"Predict[{split}]" >> beam.ParDo(PredictFn(model, split))
        | f"ToJson[{split}]" >> beam.Map(lambda row: json.dumps(row._asdict()))
        for split, uri, prepare in passes
    ] | beam.Flatten()


def read_predictions(pattern: str) -> list[Prediction]:
    """Reads what a pipeline wrote, in the order of the file names."""
    rows = []
    for path in tf.io.gfile.glob(pattern):
        with tf.io.gfile.GFile(path) as file:
            rows += [Prediction(**json.loads(line)) for line in file]
    return sorted(rows, key=lambda row: (row.split, row.file_name))


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
        scores=np.array([row.probability for row in chosen], dtype=np.float32),
    )
