"""The films that the model got most confidently wrong."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

from components.reporter.content import Content, format_number
from components.reporter.figures import heatmap
from components.shared.features import CLASSES
from components.shared.result import Misread

_KINDS = {"miss": "Misses: pneumonias called normal", "false alarm": "False alarms"}


class Error(NamedTuple):
    """A film that was read wrong.

    Attributes:
        file_name: of the film.
        patient: of the film.
        label: its class' name.
        probability: of pneumonia, as the model says.
        film: the film as a `data:` address; None where there is no picture.
        overlay: the same with its heat map; None where there is none.
    """

    file_name: str
    patient: str
    label: str
    probability: str
    film: str | None
    overlay: str | None


def errors(content: Content) -> list[tuple[str, list[Error]]]:
    """Returns the errors of each kind under its title, most confident first."""
    found = content.result.errors
    return [
        (title, [_error(row, content) for row in found if row.kind == kind])
        for kind, title in _KINDS.items()
    ]


def _error(row: Misread, content: Content) -> Error:
    film, overlay = _pictures(content.pictures.get(row.picture), row.heatmap)
    return Error(
        row.file_name,
        row.patient,
        CLASSES[row.label],
        format_number(row.probability),
        film,
        overlay,
    )


def _pictures(
    picture: bytes | None, heat: Sequence[Sequence[float]] | None
) -> tuple[str | None, str | None]:
    if picture is None:
        return None, None
    try:
        overlay = _address(heatmap.overlay(picture, heat)) if heat else None
        return _address(heatmap.film(picture)), overlay
    except OSError:
        # A damaged picture costs the picture, not the report.
        return None, None


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
