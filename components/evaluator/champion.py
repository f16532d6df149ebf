"""The champion: the version that is served now, which a new model must not fall behind.

It is read from the push destination, on every runner alike. A pushed model carries the note that
the evaluator wrote: which trained model it is, and which champion it met. So evaluating the same
trained model again meets the same champion, not itself, and its cached evaluation holds.
"""

import hashlib
import json
import os
from typing import NamedTuple

import tensorflow as tf

from components.evaluator.inference import load_model
from components.shared.features import SIGNATURE_EXAMPLES
from components.shared.versions import latest_version

NOTE_FILE = os.path.join("assets.extra", "evaluation.json")


class Note(NamedTuple):
    """What the evaluator writes into the model that it blesses.

    Attributes:
        candidate: fingerprint of the trained model, see `candidate_key`.
        champion: the version that it was compared with; empty where there was none.
        threshold: inside the model.
    """

    candidate: str
    champion: str
    threshold: float


def candidate_key(model_uri: str) -> str:
    """Returns a name for a trained model; TFX writes no two to one place."""
    return hashlib.sha256(model_uri.encode()).hexdigest()[:16]


def write_note(model: str, note: Note) -> None:
    """Writes the note into a SavedModel's folder."""
    path = os.path.join(model, NOTE_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(note._asdict()))


def read_note(model: str) -> Note | None:
    """Reads the note of a SavedModel; None where somebody else made the model."""
    path = os.path.join(model, NOTE_FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        return Note(**json.loads(file.read()))


def why_lost(model: str) -> str:
    """Returns why a SavedModel cannot be asked; empty where it can."""
    try:
        signatures = load_model(model).signatures
    except Exception as error:  # TensorFlow raises whatever a damaged file makes it raise
        first = (str(error).strip().splitlines() or [""])[0]
        return f"it cannot be loaded ({type(error).__name__}: {first})"
    if SIGNATURE_EXAMPLES not in signatures:
        return f"it has no signature {SIGNATURE_EXAMPLES}"
    return ""


def find_champion(destination: str, model_uri: str) -> str:
    """Returns the version that a trained model is to be compared with; empty for none.

    Args:
        destination: the folder of versions that a server watches.
        model_uri: of the trained model.
    """
    version = latest_version(destination)
    if not version:
        return ""
    note = read_note(os.path.join(destination, version))
    if note is None or note.candidate != candidate_key(model_uri):
        return version
    return note.champion
