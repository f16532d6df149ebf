"""A kept film as an Example. Beam's workers import this, and so are spared the import of TFX."""

import hashlib
import os

import tensorflow as tf

from components.example_gen.film import Film
from components.films.reader import plain
from components.shared import record
from components.shared.errors import InputError
from components.shared.features import (
    FILE_NAME,
    IMAGE,
    LABEL,
    PATIENT,
    PNEUMONIA,
    SQUASHED,
    SUBTYPE,
)
from components.shared.limits import FilmLimits
from components.shared.patients import squashed
from components.shared.progress import advance

WRITING = "Writing Examples"
_LIMITS = FilmLimits()


def to_example(film: Film, data: str, limits: FilmLimits = _LIMITS) -> bytes:
    """Reads a film and returns its serialized tf.train.Example.

    Args:
        film: a kept film.
        data: the folder that its name is relative to.
        limits: of a film.

    Raises:
        InputError: the file is not the one that was checked.
    """
    advance(WRITING, 1)
    with tf.io.gfile.GFile(os.path.join(data, film.file_name), "rb") as file:
        image = file.read()
    if hashlib.sha256(image).hexdigest() != film.sha256 or film.facts is None:
        raise InputError(f"{film.file_name} changed while it was being ingested; run again.")
    width, height = film.facts.width, film.facts.height
    return record.encode(
        {
            IMAGE: plain(image, limits),
            LABEL: film.label,
            SUBTYPE: film.subtype,
            PATIENT: film.patient,
            FILE_NAME: film.file_name,
            SQUASHED: squashed(film.file_name, film.label == PNEUMONIA, width, height),
            **vars(film.facts),  # named as the features
        }
    )
