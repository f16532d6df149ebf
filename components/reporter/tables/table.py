"""A table of a page, before it is HTML."""

from collections.abc import Sequence
from typing import NamedTuple


class Badge(NamedTuple):
    """A cell that stands out; `tone` is a CSS class: good, bad or quiet."""

    text: str
    tone: str


class Table(NamedTuple):
    """A table whose first column names its rows.

    Attributes:
        caption: what it shows.
        header: a title for each column.
        rows: cells, text or badge.
        numbers: the columns that hold numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Badge]]
    numbers: Sequence[int] = ()
