"""The film as an Example: one table of its features, and what writes and reads them by it.

References:
    `tf.train.Example`: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from components.shared.features import (
    CHANNELS,
    COLOUR,
    FILE_NAME,
    HEIGHT,
    IMAGE,
    LABEL,
    MEAN,
    PATIENT,
    POLARITY,
    SQUASHED,
    STD,
    SUBTYPE,
    WIDTH,
)


class Feature(NamedTuple):
    """One feature of a film.

    Attributes:
        kind: `bytes`, `str`, `int` or `float`, the type of its one value.
        meaning: what it says, with its unit.
        carried: whether Transform hands it on beside the image.
    """

    kind: type
    meaning: str
    carried: bool = False


FEATURES: Mapping[str, Feature] = {
    IMAGE: Feature(
        bytes,
        "the file as it came, or the PNG shown of a DICOM file; after Transform, a small grey PNG",
    ),
    LABEL: Feature(int, "0 NORMAL, 1 PNEUMONIA", carried=True),
    SUBTYPE: Feature(str, "normal, bacteria, virus or unknown", carried=True),
    PATIENT: Feature(str, "the group key: no patient is in two splits", carried=True),
    FILE_NAME: Feature(str, "relative to the data folder, with forward slashes", carried=True),
    WIDTH: Feature(int, "pixels"),
    HEIGHT: Feature(int, "pixels"),
    CHANNELS: Feature(int, "of the file, 1 to 4"),
    MEAN: Feature(float, "grey level, 0 to 1"),
    STD: Feature(float, "of the grey level, 0 to 1"),
    COLOUR: Feature(str, "grey or colour"),
    POLARITY: Feature(str, "positive (bone is bright) or inverted"),
    SQUASHED: Feature(
        float,
        "how many times more it was shrunk in width than in height before the file was made, 1 for "
        "nearly all; after Transform, before the picture was made",
    ),
}
CARRIED = tuple(name for name, feature in FEATURES.items() if feature.carried)

# How tf.train.Feature names the list of values of each type, and TensorFlow the type.
_LISTS = {bytes: "bytes_list", str: "bytes_list", int: "int64_list", float: "float_list"}
_TYPES = {bytes: tf.string, str: tf.string, int: tf.int64, float: tf.float32}


def encode(values: Mapping[str, Any]) -> bytes:
    """Returns a serialized Example.

    Args:
        values: by the features' names, each of its feature's type; all of them or some.
    """
    example = tf.train.Example()
    for name, value in values.items():
        kind = FEATURES[name].kind
        stored = value.encode() if kind is str else value
        getattr(example.features.feature[name], _LISTS[kind]).value.append(stored)
    return bytes(example.SerializeToString(deterministic=True))


def decode(record: bytes, *names: str) -> dict[str, Any]:
    """Returns values of a serialized Example by the features' names, each of its feature's type.

    Args:
        record: what `encode` returned.
        names: the features wanted; where none is named, all that the Example holds.

    Raises:
        ValueError: the Example does not hold exactly one value of a feature wanted.
    """
    found = tf.train.Example.FromString(record).features.feature
    values = {}
    for name in names or [name for name in FEATURES if name in found]:
        kind = FEATURES[name].kind
        stored = getattr(found[name], _LISTS[kind]).value
        if len(stored) != 1:
            raise ValueError(f"an Example holds {len(stored)} values of the feature {name}, not 1")
        values[name] = stored[0].decode() if kind is str else stored[0]
    return values


def spec(*names: str) -> dict[str, tf.io.FixedLenFeature]:
    """Returns what `tf.io.parse_example` takes to read features in a graph."""
    return {name: tf.io.FixedLenFeature([], _TYPES[FEATURES[name].kind]) for name in names}
