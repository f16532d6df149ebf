"""Tables of films, as people and publishers lay them out."""

import csv
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.dicom_files import dicom
from support.films import encode, tiny_film

Rows = Sequence[Mapping[str, object]]


def film_of(name: str, **tags: Any) -> bytes:
    """A film of its name, which no other name gives; DICOM, PNG or JPEG by the name."""
    pixels = tiny_film(zlib.crc32(name.encode()))
    if name.endswith((".png", ".jpeg")):
        return encode(pixels, name[name.rindex(".") :])
    return dicom(pixels, **tags)


def write_film(folder: Path, name: str, **tags: Any) -> None:
    """Writes a film of its name, with tags where it is DICOM."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(film_of(name, **tags))


def write_table(path: Path, rows: Rows, separator: str = ",") -> Path:
    """Writes rows with the columns of the first as a table of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(table_bytes(rows, separator))
    return path


def table_bytes(rows: Rows, separator: str = ",") -> bytes:
    """The bytes of a table of text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
