"""A kept film as an Example. Beam's workers import this, and so are spared the import of TFX."""

import hashlib
import os

import tensorflow as tf

from components.example_gen.film import Film
from components.shared.errors import InputError
from components.shared.features import (
    CHANNELS,
    COLOUR,
    FILE_NAME,
    HEIGHT,
    IMAGE,
    LABEL,
    MEAN,
    PATIENT,
    PNEUMONIA,
    POLARITY,
    SQUASHED,
    STD,
    SUBTYPE,
    WIDTH,
)
from components.shared.patients import squashed
from components.shared.progress import advance

WRITING = "Writing Examples"


def to_example(film: Film, data: str) -> bytes:
    """Reads a film and returns its serialized tf.train.Example.

    Args:
        film: a kept film.
        data: the data set's folder.

    Raises:
        InputError: the file is not the one that was checked.
    """
    advance(WRITING, 1)
    with tf.io.gfile.GFile(os.path.join(data, film.file_name), "rb") as file:
        image = file.read()
    if hashlib.sha256(image).hexdigest() != film.sha256 or film.facts is None:
        raise InputError(f"{film.file_name} changed while it was being ingested; run again.")
    facts = film.facts
    words = {
        IMAGE: image,
        SUBTYPE: film.subtype.encode(),
        PATIENT: film.patient.encode(),
        FILE_NAME: film.file_name.encode(),
        COLOUR: facts.colour.encode(),
        POLARITY: facts.polarity.encode(),
    }
    integers = {
        LABEL: film.label,
        WIDTH: facts.width,
        HEIGHT: facts.height,
        CHANNELS: facts.channels,
    }
    was_squashed = squashed(film.file_name, film.label == PNEUMONIA, facts.width, facts.height)
    floats = {MEAN: facts.mean, STD: facts.std, SQUASHED: was_squashed}
    feature = {
        **{k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in words.items()},
        **{
            k: tf.train.Feature(int64_list=tf.train.Int64List(value=[v]))
            for k, v in integers.items()
        },
        **{
            k: tf.train.Feature(float_list=tf.train.FloatList(value=[v])) for k, v in floats.items()
        },
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)
