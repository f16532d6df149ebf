"""The Examples that ChestXrayExampleGen wrote, and one of a film alone."""

from pathlib import Path

import tensorflow as tf

from components.shared.features import FILE_NAME, IMAGE


def read_examples(folder: Path, split: str) -> dict[str, bytes]:
    """Returns the serialized Examples of a split by file name, of which none comes twice."""
    paths = sorted(str(path) for path in (folder / f"Split-{split}").iterdir())
    records = list(tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator())
    found = {}
    for record in records:
        name = tf.train.Example.FromString(record).features.feature[FILE_NAME]
        found[name.bytes_list.value[0].decode()] = record
    assert len(found) == len(records)
    return found


def example_of(film: bytes) -> bytes:
    """Returns the serialized Example of a film's bytes alone, as clients send it."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[film]))
    features = tf.train.Features(feature={IMAGE: value})
    return bytes(tf.train.Example(features=features).SerializeToString())
