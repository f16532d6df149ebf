"""A JPEG or PNG without what it says beside its picture: names, dates, cameras, comments."""

import struct

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_APP0, _APP15, _ADOBE, _COMMENT = 0xE0, 0xEF, 0xEE, 0xFE
_START_OF_SCAN, _END = 0xDA, 0xD9
# Restarts, and a byte of the compressed data that looks like a marker.
_IN_SCAN = (*range(0xD0, 0xD8), 0x00)
_JFIF = b"JFIF\0"
# All that a decoder needs (PNG, 3rd edition, 11.2 and 11.3.1).
_KEPT_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def bare(data: bytes) -> bytes | None:
    """Returns a JPEG or PNG with its picture alone, compressed as it is.

    Returns:
        The bytes themselves where they hold nothing else; None where they are no JPEG or PNG whose
        parts can be told.
    """
    try:
        if data.startswith(_PNG):
            return _bare_png(data)
        return _bare_jpeg(data) if data.startswith(_JPEG) else None
    except (struct.error, IndexError, ValueError):  # it breaks off
        return None


def _bare_png(data: bytes) -> bytes | None:
    parts, at = [_PNG], len(_PNG)
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _KEPT_CHUNKS:
            parts.append(data[at:end])
        if kind == b"IEND":
            return b"".join(parts)
        at = end


def _bare_jpeg(data: bytes) -> bytes | None:
    parts, at = [_JPEG], 2
    while True:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a byte of filling
            at += 1
            continue
        if marker == _END:
            return b"".join((*parts, b"\xff\xd9"))
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if marker == _START_OF_SCAN:
            end = _end_of_scan(data, end)
        if not _tells(marker, data[at + 4 : end]):
            parts.append(data[at:end])
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Returns where the marker after compressed data stands."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] in _IN_SCAN:
            at += 2
        else:
            return at


def _tells(marker: int, content: bytes) -> bool:
    """Whether a segment holds anything but what a decoder needs."""
    if marker == _APP0:
        return not content.startswith(_JFIF)
    # Adobe's says whether the colours are CMYK.
    return marker == _COMMENT or (_APP0 < marker <= _APP15 and marker != _ADOBE)
