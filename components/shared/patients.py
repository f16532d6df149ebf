"""Who is on a film, and what its name says of the finding.

The public set numbers its patients in separate counters: `IM-0115` and `NORMAL2-IM-0115` are two
children, and so are `person23_bacteria` and `person23_virus`. Joining them by number alone makes
hundreds of patients seem to be in both train and test who are not.
"""

import re
from pathlib import PurePosixPath

from components.shared.features import UNKNOWN_SUBTYPE

NORMAL, BACTERIA, VIRUS = "normal", "bacteria", "virus"
OTHER_STREAM = "other"

_NORMAL_NAME = re.compile(r"^(NORMAL2-IM|IM)-(\d+)", re.IGNORECASE)
_PNEUMONIA_NAME = re.compile(r"^person(\d+)_(bacteria|virus)", re.IGNORECASE)
# The names of the Mendeley release, version 3.
_MENDELEY_NAME = re.compile(r"^(NORMAL|BACTERIA|VIRUS)-(\d+)", re.IGNORECASE)


# Mean width over height of the public set's films by class: the geometric mean of the 387 normal
# films and 1,106 pneumonias of its train split that were to be had in their own shape. Many have
# the set as squares, whatever the films' shape was.
_PUBLIC_SHAPES = {False: 1.212, True: 1.499}


def patient_key(file_name: str) -> str:
    """Returns the group key of a film: (prefix, subtype, number) of its name.

    Args:
        file_name: path relative to the data folder, such as `train/NORMAL/IM-0115-0001.jpeg`.

    Returns:
        `IM-0115`, `NORMAL2-IM-0115`, `person23_bacteria`, `VIRUS-1049278`; a name that fits no
        pattern is a patient of its own, and the key is then `file_name` itself.
    """
    name = PurePosixPath(file_name).name
    if match := _NORMAL_NAME.match(name):
        return f"{match[1].upper()}-{int(match[2]):04d}"
    if match := _PNEUMONIA_NAME.match(name):
        return f"person{int(match[1])}_{match[2].lower()}"
    if match := _MENDELEY_NAME.match(name):
        return f"{match[1].upper()}-{int(match[2])}"
    return file_name


def name_stream(patient: str) -> str:
    """Returns which counter a patient key belongs to: `IM`, `NORMAL2-IM`, `bacteria`, `virus`...

    Args:
        patient: what `patient_key` returned.

    Returns:
        The stream's name; `other` for a key that is a file name.
    """
    if match := _NORMAL_NAME.match(patient):
        return match[1].upper()
    if match := _PNEUMONIA_NAME.match(patient):
        return match[2].lower()
    if match := _MENDELEY_NAME.match(patient):
        return match[1].lower()
    return OTHER_STREAM


def patient_number(patient: str) -> int:
    """Returns the patient's number in its stream; 0 for a key without digits.

    Args:
        patient: what `patient_key` returned.
    """
    digits = re.findall(r"\d+", PurePosixPath(patient).stem)
    return int(digits[-1]) if digits else 0


def subtype(file_name: str, pneumonia: bool) -> str:
    """Returns `normal`, `bacteria`, `virus` or `unknown`; the folder's label goes before the name.

    Args:
        file_name: path relative to the data folder.
        pneumonia: whether the film is in a PNEUMONIA folder.
    """
    if not pneumonia:
        return NORMAL
    stream = name_stream(patient_key(file_name))
    return stream if stream in (BACTERIA, VIRUS) else UNKNOWN_SUBTYPE


def squashed(file_name: str, pneumonia: bool, width: int, height: int) -> float:
    """Returns how many times more a film was shrunk in width than in height, as far as is known.

    A square film with a name of the public set is a squashed one: none of that set is a square.

    Args:
        file_name: path relative to the data folder.
        pneumonia: whether the film is in a PNEUMONIA folder.
        width: pixels of the file.
        height: pixels of the file.

    Returns:
        The mean width over height of the public set's films of that class; 1 for all other films.
    """
    public = name_stream(patient_key(file_name)) != OTHER_STREAM
    return _PUBLIC_SHAPES[pneumonia] if public and width == height else 1.0
