"""From a table to the films that it names, and what it says of each.

No message and no reason has a value of the table but a film's path: a name may stand in any cell.
"""

import ast
import csv
import gzip
import io
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow.parquet

from components.example_gen.film import KEPT, QUARANTINED, Film
from components.example_gen.layouts import (
    NO_LABEL,
    OTHER_FINDINGS,
    PYTHON_LIST,
    UNCERTAIN,
    Layout,
)
from components.films.errors import NOT_FRONTAL, OF_AN_ADULT
from components.shared import patients
from components.shared.ages import ADULT, years
from components.shared.artifacts import LEFT_OUT
from components.shared.errors import InputError
from components.shared.features import NORMAL, PNEUMONIA, UNKNOWN_SUBTYPE

# Given the paths where a film may lie, relative to the table's folder, returns the first that is
# there, or None.
Find = Callable[[Sequence[str]], str | None]

_FOLDERS = {
    "train": "train",
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev"), "val"),
    "test": "test",
}
_SUBTYPES = {
    **dict.fromkeys(("bacteria", "bacterial"), patients.BACTERIA),
    **dict.fromkeys(("virus", "viral"), patients.VIRUS),
}
# Fields of a layout that name one column each.
_FIELDS = ("path", "folder", "patient", "split", "subtype", "view", "age")
_FILM = re.compile(r"\.(jpe?g|png|dcm|dicom)$|^\d+$", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"([-+]?\d+)\.0+")
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([DWMY]?)", re.IGNORECASE)
_NO_PATH = "the table has no path for it"
_OUTSIDE = "its path leads out of the table's folder"


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        number: as a spreadsheet counts, the header being row 1.
        values: by the layout's fields, and `label`.
        findings: by the columns of findings, where each has its own.
    """

    number: int
    values: Mapping[str, str]
    findings: Mapping[str, str]

    def value(self, field: str) -> str:
        """Returns the value of a field; empty where the table has none."""
        return self.values.get(field, "")


@dataclass(frozen=True)
class Table:
    """What was read of a table.

    Attributes:
        path: of the table, for messages.
        layout: what its columns mean.
        has_splits: whether it has a column of splits.
        rows: in its order.
    """

    path: str
    layout: Layout
    has_splits: bool
    rows: Sequence[Row]

    @property
    def folders(self) -> set[str]:
        """The splits that it has, by the names of the folders that stand for them."""
        return {_FOLDERS[row.value("split").casefold()] for row in self.rows}


def read(data: bytes, path: str, layout: Layout) -> Table:
    """Reads the columns of a table that a layout names, and no other.

    Args:
        data: the file's bytes.
        path: of the file, whose name tells its kind.
        layout: what the columns mean.

    Raises:
        InputError: it is no such table, lacks a column, has no row, or names an unknown split.
    """
    names = _header(data, path)
    columns = _columns(names, path, layout)
    findings = [] if "label" in columns else _finding_columns(names, path, layout)
    wanted = [*columns.values(), *findings]
    rows = [
        Row(
            number,
            {field: cells[column] for field, column in columns.items()},
            {column.strip().casefold(): _plain(cells[column]) for column in findings},
        )
        for number, cells in enumerate(_cells(data, path, names, wanted), 2)
        if any(cells.values())
    ]
    if not rows:
        raise InputError(f"The table {path} has no row.")
    table = Table(path, layout, "split" in columns, rows)
    if table.has_splits:
        _check_splits(table)
    return table


def list_films(
    table: Table, find: Find, pseudonym: Callable[[str], str], adults: bool
) -> list[Film]:
    """Returns the films of a table by name, each once, those that it says nothing good of too.

    Args:
        table: as it was read.
        find: see `Find`.
        pseudonym: gives the key of a patient.
        adults: whether films of adults are wanted.

    Returns:
        Films whose `split` is the name of a folder, and whose patient is empty where the table
        does not tell; the others left out or quarantined, with the reason.
    """
    named: dict[str, list[Row]] = {}
    films = []
    missing = set()
    for row in table.rows:
        places = _places(row, table.layout)
        if not places:
            reason = _NO_PATH if not row.value("path") else _OUTSIDE
            films.append(_nameless(row, reason))
            continue
        found = find(places)
        name = found or places[0]
        named.setdefault(name, []).append(row)
        if found is None:
            missing.add(name)
    for name, rows in named.items():
        film = _film(name, rows, table.layout, pseudonym, adults)
        if film.fate == KEPT and name in missing:
            film = film.leaving(QUARANTINED, "the table names it, and no such file is there")
        films.append(film)
    return sorted(films, key=lambda film: film.file_name)


def _header(data: bytes, path: str) -> list[str]:
    with _explained(path):
        if _is_parquet(path):
            return list(pyarrow.parquet.read_schema(io.BytesIO(data)).names)
        names = next(_text_rows(data, path), [])
    if not names:
        raise InputError(f"The table {path} is empty.")
    return names


def _cells(
    data: bytes, path: str, names: Sequence[str], columns: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yields the rows, with the cells of some columns as text."""
    with _explained(path):
        if _is_parquet(path):
            yield from _parquet_cells(data, columns)
        else:
            yield from _text_cells(data, path, names, columns)


def _parquet_cells(data: bytes, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    frame = pd.read_parquet(io.BytesIO(data), columns=sorted(set(columns)))
    frame = frame.astype(object).where(frame.notna(), None)
    for record in frame.to_dict("records"):
        yield {str(name): _text(value) for name, value in record.items()}


def _text_cells(
    data: bytes, path: str, names: Sequence[str], columns: Sequence[str]
) -> Iterator[dict[str, str]]:
    places = {column: names.index(column) for column in columns}
    rows = _text_rows(data, path)
    next(rows)
    for number, cells in enumerate(rows, 2):
        if any(cells[len(names) :]):
            raise InputError(
                f"The table {path} has more cells than columns in row {number}: a cell with the "
                "separator in it has to be quoted."
            )
        yield {
            column: cells[place].strip() if place < len(cells) else ""
            for column, place in places.items()
        }


def _is_parquet(path: str) -> bool:
    return path.lower().endswith(".parquet")


def _text_rows(data: bytes, path: str) -> Iterator[list[str]]:
    """Yields the rows of a table of text, its header first."""
    name = path.lower()
    file = io.BytesIO(data)
    raw = gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
    with io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        separator = "\t"
        if not name.removesuffix(".gz").endswith(".tsv"):
            # Spreadsheets write semicolons where the comma stands in numbers.
            separator = ";" if first.count(";") > first.count(",") else ","
        yield from csv.reader(text, delimiter=separator)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns what the readers raise into a sentence without anything of the content."""
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(f"The table {path} is not UTF-8: save it as such.") from None
    except Exception as error:
        raise InputError(f"The table {path} cannot be read ({type(error).__name__}).") from None


def _text(value: Any) -> str:
    """Returns a cell as a table of text would have it."""
    if value is None:
        return ""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _plain(text: str) -> str:
    """Returns a number without decimals that say nothing."""
    match = _WHOLE_NUMBER.fullmatch(text)
    return match[1] if match else text


def _columns(names: Sequence[str], path: str, layout: Layout) -> dict[str, str]:
    """Returns the table's names of the columns of each field that it has, and of `label`."""
    found = _by_name(names)
    columns = {}
    for field in _FIELDS:
        name = getattr(layout, field)
        if name is None:
            continue
        if name.strip().casefold() in found:
            columns[field] = found[name.strip().casefold()]
        elif field in layout.required:
            raise _no_column(names, path, field, [name])
    labels = [found[name.casefold()] for name in layout.label if name.casefold() in found]
    if layout.label and not labels:
        raise _no_column(names, path, "label", layout.label)
    return {**columns, "label": labels[0]} if labels else columns


def _finding_columns(names: Sequence[str], path: str, layout: Layout) -> list[str]:
    found = _by_name(names)
    columns = []
    for field in ("pneumonia", "normal"):
        wanted = getattr(layout, field)
        there = [found[name.casefold()] for name in wanted if name.casefold() in found]
        if not there:
            raise _no_column(names, path, field, wanted)
        columns += there
    return columns


def _by_name(names: Sequence[str]) -> dict[str, str]:
    # Of several columns of one name the first counts.
    return {name.strip().casefold(): name for name in reversed(names)}


def _no_column(names: Sequence[str], path: str, field: str, wanted: Iterable[str]) -> InputError:
    if any(_FILM.search(name.strip()) for name in names):
        # What stands there is no name of a column, and may be a patient's.
        return InputError(f"The table {path} has a film in its first row, not names of columns.")
    return InputError(
        f"The table {path} has no column {' or '.join(map(repr, wanted))}, which "
        f"example_gen.table.{field} names; there are {', '.join(names)}."
    )


def _check_splits(table: Table) -> None:
    for row in table.rows:
        if row.value("split").casefold() not in _FOLDERS:
            raise InputError(
                f"The table {table.path} has in row {row.number}, column {table.layout.split!r}, "
                f"no split: known are {', '.join(_FOLDERS)}."
            )


def _places(row: Row, layout: Layout) -> list[str]:
    """Returns where a row's film may lie; empty where it has no path, or one that leads out."""
    path = row.value("path").replace("\\", "/")
    if not path:
        return []
    inner = path.partition("/")[2]
    found = []
    for place in layout.places:
        for name, value in (
            ("{path}", path),
            ("{inner}", inner),
            ("{folder}", row.value("folder")),
        ):
            # A place is of no use where the row lacks what it is made of.
            place = place.replace(name, value) if value or name not in place else ""
        place = posixpath.normpath(place) if place else ""
        if place and not _leads_out(path) and not _leads_out(place):
            found.append(place)
    return found


def _leads_out(path: str) -> bool:
    """Whether a path leads out of the folder that it is relative to."""
    return (
        path.startswith("/")
        or posixpath.normpath(path).split("/")[0] in ("..", ".")
        or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) is not None
    )


def _nameless(row: Row, reason: str) -> Film:
    folder = _FOLDERS[row.value("split").casefold()] if row.value("split") else "train"
    return Film(
        file_name=f"row {row.number} of the table",
        split=folder,
        label=None,
        subtype=UNKNOWN_SUBTYPE,
        patient="",
        fate=QUARANTINED,
        reason=reason,
    )


@dataclass(frozen=True)
class _Verdict:
    """What a row says of its film."""

    label: int | None
    fate: str = KEPT
    reason: str = ""


def _film(
    name: str,
    rows: Sequence[Row],
    layout: Layout,
    pseudonym: Callable[[str], str],
    adults: bool,
) -> Film:
    """Returns the film of its rows."""
    verdict = _common([_verdict(row, layout, adults) for row in rows])
    patient = _only(_patient(name, row, layout) for row in rows)
    split = _only(row.value("split").casefold() for row in rows)
    subtype = _only(row.value("subtype").casefold() for row in rows)
    pneumonia = verdict.label == PNEUMONIA
    film = Film(
        file_name=name,
        split=_FOLDERS.get(split or "", "train"),
        label=verdict.label,
        subtype=_SUBTYPES.get(subtype, UNKNOWN_SUBTYPE)
        if pneumonia and subtype
        else patients.subtype(name, pneumonia),
        patient=pseudonym(patient) if patient else "",
        fate=verdict.fate,
        reason=verdict.reason,
    )
    for what, value in (("patient", patient), ("split", split), ("subtype", subtype)):
        if value is None and film.fate == KEPT:
            return film.leaving(QUARANTINED, f"its rows differ in the {what}")
    return film


def _only(values: Iterable[str]) -> str | None:
    """Returns the value that all rows have in common; None where they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _common(verdicts: Sequence[_Verdict]) -> _Verdict:
    """Returns what the rows of a film say together: nobody knows which of several is right."""
    found = sorted(set(verdicts), key=lambda verdict: (verdict.fate, verdict.reason))
    if len(found) == 1 or all(verdict.fate == LEFT_OUT for verdict in found):
        return found[0]
    return _Verdict(None, QUARANTINED, "its rows differ in the label")


def _patient(name: str, row: Row, layout: Layout) -> str:
    if row.value("patient") or layout.patient_in_path is None:
        return row.value("patient")
    match = re.search(layout.patient_in_path, name)
    return match[0] if match else ""


def _verdict(row: Row, layout: Layout, adults: bool) -> _Verdict:
    view, age = row.value("view").casefold(), row.value("age")
    if view and view not in _folded(layout.frontal):
        return _Verdict(None, LEFT_OUT, NOT_FRONTAL)
    if not adults and _is_adult(age, layout):
        return _Verdict(None, LEFT_OUT, OF_AN_ADULT)
    return _verdict_of_findings(row, layout) if row.findings else _verdict_of_label(row, layout)


def _is_adult(age: str, layout: Layout) -> bool:
    if age.casefold() in _folded(layout.adult):
        return True
    match = _AGE.fullmatch(age)
    return match is not None and years(float(match[1]), match[2].upper()) >= ADULT


def _verdict_of_findings(row: Row, layout: Layout) -> _Verdict:
    pneumonia = {row.findings.get(name) for name in _folded(layout.pneumonia)}
    normal = "1" in {row.findings.get(name) for name in _folded(layout.normal)}
    if "1" in pneumonia and normal:
        return _Verdict(None, QUARANTINED, "the table says normal and pneumonia")
    if "1" in pneumonia:
        return _Verdict(PNEUMONIA)
    if "-1" in pneumonia:
        return _Verdict(None, LEFT_OUT, UNCERTAIN)
    return _Verdict(NORMAL) if normal else _Verdict(None, LEFT_OUT, OTHER_FINDINGS)


def _verdict_of_label(row: Row, layout: Layout) -> _Verdict:
    labels = _labels(row.value("label"), layout.separator)
    unknown = _Verdict(None, QUARANTINED, "its label is none that example_gen.table knows")
    if labels is None:
        return unknown
    if not labels:
        return _Verdict(None, LEFT_OUT, NO_LABEL)
    pneumonia, normal = _folded(layout.pneumonia), _folded(layout.normal)
    if labels & pneumonia and labels & normal:
        return _Verdict(None, QUARANTINED, "the table says normal and pneumonia")
    if labels & pneumonia:
        return _Verdict(PNEUMONIA)
    if labels & _folded(layout.uncertain):
        return _Verdict(None, LEFT_OUT, UNCERTAIN)
    if labels <= normal:
        return _Verdict(NORMAL)
    if layout.unknown == "leave_out" or labels & _folded(layout.other_findings):
        return _Verdict(None, LEFT_OUT, OTHER_FINDINGS)
    return unknown


def _labels(cell: str, separator: str | None) -> frozenset[str] | None:
    """Returns the labels in a cell; None where it is no list as it should be."""
    if separator is None or not cell:
        parts = [cell]
    elif separator == PYTHON_LIST:
        try:
            listed = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        if not isinstance(listed, list):
            return None
        parts = [str(part) for part in listed]
    else:
        parts = cell.split(separator)
    return _folded(tuple(parts)) - {""}


@lru_cache(maxsize=1024)
def _folded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_plain(name.strip().casefold()) for name in names)
