"""A film's file, of whatever kind, as the file that the model is given."""

import cv2

from components.films import apart, dicom
from components.films.errors import FilmError
from components.films.headers import check_bytes, check_film
from components.films.orientation import UPRIGHT, orientation
from components.films.picture import decode, has_words
from components.films.signatures import JPEG, PNG
from components.shared.limits import FilmLimits


def plain(data: bytes, limits: FilmLimits) -> bytes:
    """Returns a film as an upright JPEG or PNG of 8 bits a sample that says nothing else.

    DICOM becomes PNG, and so does a JPEG or PNG that is to be turned or has 16 bits a sample. Any
    other is kept as it is compressed, less what its file says of patient, camera and place.

    Args:
        data: the file's bytes.
        limits: of its bytes and pixels.

    Raises:
        FilmError: it is no film that may be read.
    """
    check_bytes(len(data), limits)
    if dicom.is_dicom(data):
        return apart.to_png(data, limits)
    if not data.startswith((JPEG, PNG)):
        raise FilmError("is neither JPEG, PNG nor DICOM")
    stripped = check_film(data, limits)
    if orientation(data) == UPRIGHT and not has_words(data):
        return stripped
    encoded, png = cv2.imencode(".png", decode(data))
    if not encoded:
        raise FilmError("its pixels cannot be encoded")
    return bytes(png)
