"""Do two splits share a patient or a film? Counted from the Examples themselves.

ExampleGen sees to it that they do not; this is the check of what it wrote.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator

import apache_beam as beam
import tensorflow as tf

from components.shared.features import IMAGE, PATIENT, SPLITS
from components.shared.record import decode

PATIENTS, IMAGES = "patients", "images"
PAIRS = tuple(f"{one}/{other}" for one, other in itertools.combinations(SPLITS, 2))


def film_keys(record: bytes, split: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Yields ((kind, key), split) of a film: its patient, and the SHA-256 of its bytes.

    Args:
        record: a serialized tf.train.Example.
        split: that it is in.
    """
    film = decode(record, PATIENT, IMAGE)
    yield (PATIENTS, film[PATIENT]), split
    yield (IMAGES, hashlib.sha256(film[IMAGE]).hexdigest()), split


def shared_by(found: tuple[tuple[str, str], Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Yields (kind, pair of splits) for each pair that has the key in both.

    Args:
        found: ((kind, key), the splits that it was found in).
    """
    (kind, _), splits = found
    for one, other in itertools.combinations(SPLITS, 2):
        if {one, other} <= set(splits):
            yield kind, f"{one}/{other}"


@beam.ptransform_fn
def CountOverlap(root: beam.Pipeline, splits: dict[str, str]) -> beam.PCollection:
    """Counts the patients and the images that two splits share; no film's bytes travel.

    Args:
        root: the pipeline.
        splits: the folder of TFRecord files of each split.

    Returns:
        [kind, pair, count] as lines of JSON; none for a pair that shares nothing.
    """
    keys = [
        root
        | f"Read[{split}]" >> beam.io.ReadFromTFRecord(f"{uri}/*")
        | f"Keys[{split}]" >> beam.FlatMap(film_keys, split)
        for split, uri in splits.items()
    ] | beam.Flatten()
    return (
        keys
        | "SplitsOfKey" >> beam.CombinePerKey(beam.combiners.ToSetCombineFn())
        | "Shared" >> beam.FlatMap(shared_by)
        | "Count" >> beam.combiners.Count.PerElement()
        | "ToJson" >> beam.MapTuple(lambda shared, count: json.dumps([*shared, count]))
    )


def read_overlap(pattern: str) -> dict[str, dict[str, int]]:
    """Reads what a pipeline wrote: {`patients` or `images`: {pair of splits: how many}}."""
    counts = {kind: dict.fromkeys(PAIRS, 0) for kind in (PATIENTS, IMAGES)}
    for path in tf.io.gfile.glob(pattern):
        with tf.io.gfile.GFile(path) as file:
            for line in file:
                kind, pair, count = json.loads(line)
                counts[kind][pair] = count
    return counts
