"""Patients without their names: what tells two apart is a keyed hash, and the key stays apart.

A number of a hospital is short, so that a hash without a key is found by trying them all.
"""

import hashlib
import hmac
import io
import os
import secrets
import warnings
from dataclasses import dataclass
from functools import lru_cache

import pydicom
import tensorflow as tf

from components.films.dicom import is_dicom
from components.films.errors import FilmError
from components.shared.errors import InputError

VARIABLE = "CXR_PATIENT_KEY"
_BYTES = 16
_TAGS = ("PatientID", "IssuerOfPatientID")


@dataclass(frozen=True)
class Key:
    """Where a key is, and by what it is known again. The key itself is never part of this.

    So Beam's workers are told where to read it, and no graph or log has it.

    Attributes:
        place: its file; empty where it is in the environment.
        check: a hash by it.
    """

    place: str
    check: str

    def pseudonym(self, patient: str, issuer: str = "") -> str:
        """Returns the hash of a patient, 32 hexadecimal digits.

        Args:
            patient: the identifier.
            issuer: of the identifier, as DICOM's IssuerOfPatientID.

        Raises:
            InputError: the key cannot be read here, or is another one here.
        """
        return _hashed(_checked(self.place, self.check), f"{issuer}\0{patient}")


def open_key(setting: str | None, run_file: str | None) -> Key:
    """Finds the key, or makes one where none is given.

    Args:
        setting: the file that the settings name.
        run_file: the file of the run's own key; what is in it is used again. None: it has none.

    Raises:
        InputError: the key is empty or not given, or cannot be read or written.
    """
    if VARIABLE in os.environ:
        place = ""
    elif setting is not None:
        place = setting
    elif run_file is None:
        raise InputError(
            f"The films need a patient key: set {VARIABLE}, or example_gen.patient_key to a file."
        )
    else:
        place = run_file
        if not tf.io.gfile.exists(place):
            _make(place)
    return Key(place, _hashed(_read(place), "check"))


def dicom_patient(data: bytes) -> tuple[str, str] | None:
    """Returns the identifier of a DICOM film's patient and its issuer; None where it has none.

    Args:
        data: the file's bytes, of which no pixel is looked at.

    Raises:
        FilmError: they cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning would show the value
            dataset = pydicom.dcmread(
                io.BytesIO(data),
                force=is_dicom(data),
                stop_before_pixels=True,
                specific_tags=list(_TAGS),
            )
            patient, issuer = (str(dataset.get(tag) or "").strip() for tag in _TAGS)
    except Exception:  # pydicom raises whatever the content makes it raise
        raise FilmError("has a PatientID that cannot be read") from None
    return (patient, issuer) if patient else None


def _hashed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)[:_BYTES].hex()


@lru_cache(maxsize=8)
def _checked(place: str, check: str) -> bytes:
    key = _read(place)
    if _hashed(key, "check") != check:
        raise InputError(f"{_named(place)} is another one here than where the run began.")
    return key


def _read(place: str) -> bytes:
    try:
        if place:
            with tf.io.gfile.GFile(place, "rb") as file:
                key = bytes(file.read()).strip()
        else:
            key = os.environb[VARIABLE.encode()].strip()
    except (OSError, KeyError, tf.errors.OpError) as error:
        raise InputError(f"{_named(place)} cannot be read.") from error
    if not key:
        raise InputError(f"{_named(place)} is empty.")
    return key


def _named(place: str) -> str:
    return f"The patient key {place}" if place else f"The patient key in the variable {VARIABLE}"


def _make(place: str) -> None:
    key = secrets.token_hex(32)
    try:
        if "://" in place:
            with tf.io.gfile.GFile(place, "w") as remote:
                remote.write(key)
            return
        os.makedirs(os.path.dirname(place) or ".", exist_ok=True)
        # For its owner alone, and never over a key that is there.
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(f"The patient key {place} cannot be written.") from error
