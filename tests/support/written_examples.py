"""The Examples that ChestXrayExampleGen wrote."""

from pathlib import Path

import tensorflow as tf

from components.shared.features import FILE_NAME


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
