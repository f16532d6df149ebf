"""From a film's file to the picture that an Example holds."""

from components.example_gen import files
from components.films.dicom import is_dicom, to_png
from components.shared.limits import FilmLimits


def is_dicom_film(name: str, data: bytes) -> bool:
    """Whether a film is read as DICOM: by its name, or by its bytes where the name has no suffix.

    Args:
        name: of the file.
        data: its bytes.
    """
    return files.named_dicom(name) or (files.may_be_dicom(name) and is_dicom(data))


def picture_of(name: str, data: bytes, limits: FilmLimits) -> bytes:
    """Returns a film as JPEG or PNG: as it came, or what is shown of a DICOM file.

    Args:
        name: of the file.
        data: its bytes.
        limits: of a DICOM file.

    Raises:
        FilmError: it is a DICOM file, and no film.
    """
    return to_png(data, limits) if is_dicom_film(name, data) else data
