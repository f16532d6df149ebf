"""`cxr predict`: films in, a table out."""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from components.shared.errors import InputError
from components.shared.features import (
    CLASSES,
    LABEL_NAME,
    MODEL_VERSION,
    PNEUMONIA,
    PROBABILITY,
    THRESHOLD,
)
from components.shared.files import displayed, replace
from components.shared.notice import NOTICE
from serving.client import DEFAULT_SERVER, TOKEN_VARIABLE
from serving.client.client import Client, Reading
from serving.client.errors import ServerError
from serving.client.films import find_films
from serving.client.servers import LocalModel, Server, connect

_COLUMNS = ("file", PROBABILITY, THRESHOLD, LABEL_NAME, MODEL_VERSION, "error")
# Spreadsheets take a text that starts so for a formula, in signs of full width too.
_FORMULA = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
# From as many films on a bar is shown, on a terminal.
_MANY = 10


def run(
    films: Sequence[str],
    *,
    server: str | None,
    model: Path | None,
    adults: bool,
    csv_file: Path | None,
    json_file: Path | None,
    concurrency: int,
) -> bool:
    """Asks for the films, shows and writes the answers; returns whether all films have one.

    Args:
        films: files, folders and patterns.
        server: URL of a model server; None: the default one, where there is no `model`.
        model: folder of a pushed model, to be run here.
        adults: whether DICOM films of adults are asked a server for.
        csv_file: where the answers go; None: nowhere.
        json_file: where the answers go; None: nowhere.
        concurrency: requests at once.

    Raises:
        InputError: a file or a setting cannot be used, or the server cannot.
    """
    if not 1 <= concurrency <= 64:
        raise InputError(f"--concurrency is {concurrency}: it should be 1 to 64.")
    for path in filter(None, (csv_file, json_file)):
        if not path.parent.is_dir():
            raise InputError(
                f"{displayed(path)} cannot be written: {displayed(path.parent)} is no folder."
            )
    paths = find_films(films)
    asked: Server = (
        LocalModel(model)
        if model
        else connect(server or DEFAULT_SERVER, os.environ.get(TOKEN_VARIABLE), adults=adults)
    )
    readings, broken = _read(Client(asked, concurrency), paths)
    if broken is not None and not any(reading.answer for reading in readings):
        # What an earlier run wrote stays.
        raise InputError(str(broken)) from broken
    # Before what is shown, whose reader may leave.
    if csv_file:
        _write(csv_file, as_csv(readings))
    if json_file:
        _write(json_file, as_json(readings))
    _show(readings)
    if broken is not None:
        raise InputError(str(broken)) from broken
    failed = [reading for reading in readings if reading.error]
    for reading in failed:
        print(f"cxr: {displayed(reading.path)} {reading.error}.", file=sys.stderr)
    return not failed


def _read(client: Client, paths: Sequence[Path]) -> tuple[list[Reading], ServerError | None]:
    """Returns a reading for each film, and why the server could not be used any more, if so."""
    console = Console(stderr=True)
    with Progress(
        console=console,
        transient=True,
        disable=len(paths) < _MANY or not console.is_terminal,
    ) as progress:
        task = progress.add_task("Reading films", total=len(paths))
        readings = []
        try:
            for reading in client.read_all(paths, lambda: progress.advance(task)):
                readings.append(reading)
        except ServerError as error:
            rest = paths[len(readings) :]
            return readings + [Reading(path, None, "has no answer") for path in rest], error
        return readings, None


def _show(readings: Sequence[Reading]) -> None:
    table = Table()
    table.add_column("film", overflow="fold")
    for name in (PROBABILITY, THRESHOLD, LABEL_NAME):
        table.add_column(name)
    for path, answer, _ in readings:
        if answer is None:
            table.add_row(displayed(path), "", "", "no answer", style="yellow")
            continue
        style = "bold" if answer.label == CLASSES[PNEUMONIA] else ""
        table.add_row(
            displayed(path),
            f"{answer.probability:.4f}",
            f"{answer.threshold:.4f}",
            answer.label,
            style=style,
        )
    console = Console(markup=False)  # a name may have square brackets
    console.print(table)
    console.print(NOTICE, soft_wrap=True)


def _rows(readings: Sequence[Reading]) -> list[dict[str, object]]:
    return [
        dict(
            zip(
                _COLUMNS,
                (displayed(path), *(answer or (None,) * 4), error),
                strict=True,
            )
        )
        for path, answer, error in readings
    ]


def as_csv(readings: Sequence[Reading]) -> str:
    """Returns a header and one line a film; what is not there is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in _rows(readings):
        writer.writerow({name: _no_formula(value) for name, value in row.items()})
    return text.getvalue()


def _no_formula(value: object) -> object:
    """Returns a cell that a spreadsheet takes for the text that it is."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def as_json(readings: Sequence[Reading]) -> str:
    """Returns an object with the notice and a list of films; what is not there is null."""
    return json.dumps({"notice": NOTICE, "films": _rows(readings)}, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        replace(path, text)
    except OSError as error:
        raise InputError(f"{displayed(path)} cannot be written: {error.strerror}.") from error
