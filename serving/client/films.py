"""Which files are meant, and what of them is sent."""

import glob
from collections.abc import Iterable
from pathlib import Path

from components.films import dicom
from components.films.errors import FilmError
from components.films.headers import check_bytes
from components.films.reader import plain
from components.shared.errors import InputError
from components.shared.files import displayed, files_below
from components.shared.limits import FilmLimits

_SUFFIXES = (".jpeg", ".jpg", ".png", ".dcm", ".dicom")


def find_films(arguments: Iterable[str]) -> list[Path]:
    """Returns the files meant by files, folders and patterns, in order, none twice.

    Of a folder those are meant, at any depth, whose names end as films' do, and DICOM files
    without a suffix, as archives write them. A file that is named is meant, whatever its name.

    Raises:
        InputError: one of the arguments is nothing, or holds no film.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        matches = [path] if path.exists() else [Path(match) for match in glob.glob(argument)]
        films = [
            film
            for match in sorted(matches)
            for film in (_inside(match) if match.is_dir() else [match])
        ]
        if not films:
            raise InputError(
                f"{displayed(argument)} {'holds no film' if path.is_dir() else 'does not exist'}."
            )
        found.update(dict.fromkeys(films))
    return list(found)


def _inside(folder: Path) -> list[Path]:
    return [
        path
        for path in files_below(folder)
        if not path.name.startswith(".")
        and (path.suffix.lower() in _SUFFIXES or (not path.suffix and _is_dicom_file(path)))
    ]


def _is_dicom_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return dicom.is_dicom(file.read(132))
    except OSError:
        return False


def load(path: Path, limits: FilmLimits) -> bytes:
    """Returns the bytes to send for a film, see `components.films.reader.plain`.

    Args:
        path: of the file.
        limits: of its bytes and pixels.

    Raises:
        FilmError: the file cannot be read, or is no film.
    """
    try:
        check_bytes(path.stat().st_size, limits)
        data = path.read_bytes()
    except OSError as error:
        raise FilmError(f"cannot be read: {error.strerror}") from error
    return plain(data, limits)
