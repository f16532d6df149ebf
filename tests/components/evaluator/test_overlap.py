import hashlib
from pathlib import Path

import apache_beam as beam
import tensorflow as tf

from components.evaluator.overlap import (
    IMAGES,
    PATIENTS,
    CountOverlap,
    film_keys,
    read_overlap,
    shared_by,
)


def record(patient: str, image: bytes) -> bytes:
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in (("patient", patient.encode()), ("image", image))
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(example.SerializeToString())


def count(folder: Path, splits: dict[str, list[tuple[str, bytes]]]) -> dict[str, dict[str, int]]:
    for split, films in splits.items():
        (folder / split).mkdir()
        path = str(folder / split / "films.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for film in films:
                writer.write(record(*film))
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | CountOverlap({split: str(folder / split) for split in splits})
            | beam.io.WriteToText(str(folder / "overlap"))
        )
    return read_overlap(str(folder / "overlap-*"))


def test_a_film_is_known_by_its_patient_and_its_bytes() -> None:
    digest = hashlib.sha256(b"film").hexdigest()
    assert list(film_keys(record("IM-0001", b"film"), "eval")) == [
        ((PATIENTS, "IM-0001"), "eval"),
        ((IMAGES, digest), "eval"),
    ]


def test_a_key_of_three_splits_is_shared_by_three_pairs() -> None:
    assert list(shared_by(((PATIENTS, "a"), {"test", "train", "eval"}))) == [
        (PATIENTS, "train/eval"),
        (PATIENTS, "train/test"),
        (PATIENTS, "eval/test"),
    ]
    assert list(shared_by(((IMAGES, "a"), {"test"}))) == []


def test_shared_patients_and_images_are_counted_once_each(tmp_path: Path) -> None:
    found = count(
        tmp_path,
        {
            # Two films of `a`, one of which is twice in train.
            "train": [("a", b"1"), ("a", b"2"), ("a", b"2"), ("b", b"3")],
            "eval": [("c", b"2")],
            "test": [("a", b"4"), ("a", b"5"), ("b", b"3"), ("d", b"6")],
        },
    )
    assert found == {
        PATIENTS: {"train/eval": 0, "train/test": 2, "eval/test": 0},
        IMAGES: {"train/eval": 1, "train/test": 1, "eval/test": 0},
    }


def test_nothing_shared_is_zeros(tmp_path: Path) -> None:
    splits = {"train": [("a", b"1")], "eval": [("b", b"2")], "test": [("c", b"3")]}
    found = count(tmp_path, splits)
    assert {number for pairs in found.values() for number in pairs.values()} == {0}
