"""How a JPEG or PNG is to be turned before it is shown, as cameras and scanners say by EXIF."""

import struct

import numpy as np

from components.films.signatures import PNG, START_OF_IMAGE

UPRIGHT = 1
# Of the eight (EXIF 2.32, 4.6.4, tag 0x0112): those whose rows are the film's columns, which are
# transposed first; then those that are mirrored across, and those that are mirrored down.
TRANSPOSED = (5, 6, 7, 8)
ACROSS = (2, 3, 6, 7)
DOWN = (3, 4, 7, 8)

TAG, SHORT = 0x0112, 3
EXIF_START = b"Exif\0\0"
APP1, START_OF_SCAN, END = 0xE1, 0xDA, 0xD9
# Of a file: more segments or chunks than any film has. What comes after them is not looked at.
MOST_PARTS = 20_000


def orientation(data: bytes) -> int:
    """Returns the EXIF orientation of a JPEG or PNG, 1 to 8; 1 where there is none that is valid.

    Only the first EXIF block counts, and in it the first entry of the tag.
    """
    try:
        if data.startswith(START_OF_IMAGE):
            return _of_tiff(_exif_of_jpeg(data))
        return _of_tiff(_exif_of_png(data)) if data.startswith(PNG) else UPRIGHT
    except struct.error:  # it breaks off
        return UPRIGHT


def turned(picture: np.ndarray, way: int) -> np.ndarray:
    """Returns a picture, [H, W] or [H, W, C], as its orientation says that it is to be shown."""
    if way in TRANSPOSED:
        picture = picture.swapaxes(0, 1)
    if way in ACROSS:
        picture = picture[:, ::-1]
    if way in DOWN:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _exif_of_jpeg(data: bytes) -> bytes:
    at = 2
    for _ in range(MOST_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] in (START_OF_SCAN, END):
            break
        if data[at + 1] == 0xFF:  # a byte of filling
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == APP1 and data.startswith(EXIF_START, at + 4):
            return data[at + 4 + len(EXIF_START) : at + 2 + length]
        at += 2 + length
    return b""


def _exif_of_png(data: bytes) -> bytes:
    at = len(PNG)
    for _ in range(MOST_PARTS):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def _of_tiff(exif: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return UPRIGHT
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    (entries,) = struct.unpack_from(f"{order}H", exif, start)
    for entry in range(entries):
        tag, kind, _, way = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
        if tag == TAG:
            return way if kind == SHORT and 1 <= way <= 8 else UPRIGHT
    return UPRIGHT
