from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import components.example_validator
from components.shared.record import CARRIED, FEATURES, decode, encode, spec

FILM = {
    "image": b"\x89PNG\x00\xff",
    "label": 1,
    "subtype": "bacteria",
    "patient": "person23_bacteria",
    "file_name": "train/PNEUMONIA/person23_bacteria_78 \u00e9.jpeg",
    "width": 1300,
    "height": 950,
    "channels": 3,
    "mean": 0.5,
    "std": 0.25,
    "colour": "grey",
    "polarity": "positive",
    "squashed": 1.5,
}


def test_a_film_is_stored_as_tensorflow_stores_it() -> None:
    features = tf.train.Example.FromString(encode(FILM)).features.feature
    assert set(features) == set(FILM) == set(FEATURES)
    for name in ("label", "width", "height", "channels"):
        assert features[name].int64_list.value == [FILM[name]]
    for name in ("mean", "std"):
        assert features[name].float_list.value == [FILM[name]]
    assert features["image"].bytes_list.value == [b"\x89PNG\x00\xff"]
    assert features["file_name"].bytes_list.value == [FILM["file_name"].encode("utf-8")]  # type: ignore[attr-defined]


def test_what_is_written_is_read_again_in_eager_code_and_in_a_graph() -> None:
    record = encode(FILM)
    assert decode(record) == FILM
    assert encode(decode(record)) == record
    assert decode(record, "label", "patient") == {"label": 1, "patient": "person23_bacteria"}
    read = tf.io.parse_single_example(record, spec(*FEATURES))
    for name, value in FILM.items():
        expected = value.encode() if isinstance(value, str) else value
        assert read[name].numpy() == expected


def test_an_example_of_some_features_gives_those() -> None:
    record = encode({"image": b"film"})
    assert decode(record) == {"image": b"film"}
    with pytest.raises(ValueError, match="0 values of the feature label, not 1"):
        decode(record, "image", "label")
    twice = tf.train.Example.FromString(record)
    twice.features.feature["image"].bytes_list.value.append(b"another")
    with pytest.raises(ValueError, match="2 values of the feature image, not 1"):
        decode(twice.SerializeToString())


def test_a_feature_that_is_not_in_the_table_cannot_be_written() -> None:
    with pytest.raises(KeyError, match="name_of_the_child"):
        encode({"name_of_the_child": "A"})


def test_transform_carries_what_training_needs() -> None:
    assert CARRIED == ("label", "subtype", "patient", "file_name")


def test_the_curated_schema_has_the_features_of_the_table() -> None:
    path = Path(components.example_validator.__file__).with_name("schema.pbtxt")
    schema = text_format.Parse(path.read_text(), schema_pb2.Schema())
    types = {bytes: "BYTES", str: "BYTES", int: "INT", float: "FLOAT"}
    listed = [
        (feature.name, schema_pb2.FeatureType.Name(feature.type)) for feature in schema.feature
    ]
    assert listed == [(name, types[feature.kind]) for name, feature in FEATURES.items()]
    for feature in schema.feature:
        # One value in every Example.
        assert feature.HasField("shape")
        assert not feature.shape.dim
        assert feature.presence.min_fraction == 1.0
        # Bytes that are no text are not counted as words.
        assert feature.HasField("image_domain") is (FEATURES[feature.name].kind is bytes)
