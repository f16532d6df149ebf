"""A JPEG or PNG without what it says beside its picture: names, dates, cameras, comments."""

import re
import struct
from contextlib import suppress

from components.films.errors import FilmError
from components.films.orientation import END, MOST_PARTS, START_OF_SCAN
from components.films.signatures import PNG, START_OF_IMAGE

_APP0, _APP15, _ADOBE, _COMMENT = 0xE0, 0xEF, 0xEE, 0xFE
# A marker, but for restarts and a byte of compressed data that looks like one.
_MARKER = re.compile(rb"\xff(?![\x00\xd0-\xd7\xff])")
# What may follow a scan: tables, the number of lines, the next scan, the end, and what says
# something. Any other, and the data is broken where it stands (ITU-T T.81, B.2).
_AFTER_SCAN = (0xC4, 0xCC, *range(0xD9, 0xDE), *range(_APP0, _APP15 + 1), _COMMENT)
_AFTER_LAST = (0xD9, 0xDC)
_SEQUENTIAL = (0xC0, 0xC1)
_JFIF = b"JFIF\0"
# All that a decoder needs (PNG, 3rd edition, 11.2 and 11.3.1).
_KEPT_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def bare(data: bytes) -> bytes:
    """Returns a JPEG or PNG with its picture alone, compressed as it is.

    Args:
        data: bytes that begin as a JPEG or PNG.

    Returns:
        The bytes themselves where they hold nothing else.

    Raises:
        FilmError: the parts of the file do not follow one another, so that decoders that go on
            all the same make up a part of the picture; or there are more of them than in any film.
    """
    found = None
    with suppress(struct.error, IndexError, ValueError):  # it breaks off
        found = _bare_png(data) if data.startswith(PNG) else _bare_jpeg(data)
    if found is None:
        raise FilmError("is a broken JPEG or PNG: its parts do not follow one another")
    return found


def _bare_png(data: bytes) -> bytes | None:
    parts, at = [PNG], len(PNG)
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _KEPT_CHUNKS:
            parts.append(data[at:end])
        if kind == b"IEND":
            return b"".join(parts)
        at = end
    return None


def _bare_jpeg(data: bytes) -> bytes | None:
    parts, at = [START_OF_IMAGE], len(START_OF_IMAGE)
    components = 0  # of a sequential frame, which may be all in one scan
    for _ in range(MOST_PARTS):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a byte of filling
            at += 1
            continue
        if marker == END:
            return b"".join((*parts, b"\xff\xd9"))
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if marker in _SEQUENTIAL:
            components = data[at + 9]
        if marker == START_OF_SCAN:
            last = data[at + 4] == components
            after = _MARKER.search(data, end)
            if after is None or data[after.start() + 1] not in (
                _AFTER_LAST if last else _AFTER_SCAN
            ):
                return None
            end = after.start()
        if not _tells(marker, data[at + 4 : end]):
            parts.append(data[at:end])
        at = end
    return None


def _tells(marker: int, content: bytes) -> bool:
    """Whether a segment holds anything but what a decoder needs."""
    if marker == _APP0:
        return not content.startswith(_JFIF)
    # Adobe's says whether the colours are CMYK.
    return marker == _COMMENT or (_APP0 < marker <= _APP15 and marker != _ADOBE)
