"""JPEGs whose EXIF blocks say, or do not say, how they are to be turned."""

import struct

from components.films.orientation import MOST_PARTS
from support.films import encode, tiny_film

_FILM = tiny_film(7, height=40, width=56)


def _tiff(order: str, *entries: tuple[int, int, int]) -> bytes:
    """An EXIF block of (tag, kind, value), the value left-aligned in its four bytes."""
    packed = [struct.pack(f"{order}HHIHH", tag, kind, 1, way, 0) for tag, kind, way in entries]
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return head + struct.pack(f"{order}H", len(packed)) + b"".join(packed) + bytes(4)


def _jpeg(*segments: tuple[int, bytes]) -> bytes:
    whole = encode(_FILM)
    inserted = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )
    return whole[:2] + inserted + whole[2:]


# The file, and the orientation that it has.
CASES = {
    "little endian": (_jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 6)))), 6),
    "big endian": (_jpeg((0xE1, b"Exif\0\0" + _tiff(">", (0x0112, 3, 6)))), 6),
    "after others": (_jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x010F, 2, 1), (0x0112, 3, 8)))), 8),
    "the first of two": (
        _jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 5), (0x0112, 3, 8)))),
        5,
    ),
    "after another segment": (
        _jpeg(
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
            (0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 3))),
        ),
        3,
    ),
    "after filling": (
        encode(_FILM)[:2]
        + b"\xff" * 5
        + _jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 3))))[2:],
        3,
    ),
    "no short": (_jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 4, 6)))), 1),
    "no byte order": (_jpeg((0xE1, b"Exif\0\0" + b"XX" + _tiff("<", (0x0112, 3, 6))[2:])), 1),
    "cut in the entry": (_jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 6))[:19])), 1),
    "cut before the value": (_jpeg((0xE1, b"Exif\0\0" + _tiff(">", (0x0112, 3, 6))[:18])), 1),
    "directory beyond the end": (_jpeg((0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")), 1),
    "empty": (_jpeg((0xE1, b"Exif\0\0")), 1),
    "after the scan": (
        encode(_FILM)[:-2] + _jpeg((0xE1, b"Exif\0\0" + _tiff("<", (0x0112, 3, 6))))[2:],
        1,
    ),
    "too many parts": (b"\xff\xd8" + b"\xff" * (MOST_PARTS + 1) + b"\xd9", 1),
    "a length of nothing": (b"\xff\xd8\xff\xe2\x00\x00\xff\xd9", 1),
    "one byte": (b"\xff", 1),
    "nothing": (b"", 1),
}
