"""What the stream inside a DICOM file says of its picture, whose header may say otherwise."""

import struct
from typing import NamedTuple

# Start of a JPEG or JPEG-LS frame: all of SOF0 to SOF15 but tables' markers, and SOF55.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
# Markers without a length.
_ALONE = {0x01, *range(0xD0, 0xD9)}
_JPEG_2000 = b"\xff\x4f\xff\x51"


class Frame(NamedTuple):
    """Of a compressed picture.

    Attributes:
        bits: of a sample.
        samples: of a pixel.
        height: in pixels; 0 where it is told only at the end.
        width: likewise.
    """

    bits: int
    samples: int
    height: int
    width: int


def frame_of(stream: bytes) -> Frame | None:
    """Returns what a JPEG, JPEG-LS or JPEG 2000 stream says; None for any other.

    References: ITU-T T.81 B.2.2, T.87 C.2.2, T.800 A.5.1.

    Raises:
        ValueError: the stream breaks off before it says so.
    """
    try:
        start = stream.find(_JPEG_2000, 0, 4096)
        if start >= 0:
            return _siz(stream, start + len(_JPEG_2000))
        return _sof(stream) if stream[:2] == b"\xff\xd8" else None
    except (struct.error, IndexError) as error:
        raise ValueError("the stream has no frame") from error


def _siz(stream: bytes, at: int) -> Frame:
    _, _, right, bottom, left, top = struct.unpack_from(">HHIIII", stream, at)
    samples, bits = struct.unpack_from(">HB", stream, at + 36)
    return Frame((bits & 0x7F) + 1, samples, bottom - top, right - left)


def _sof(stream: bytes) -> Frame:
    at = 2
    while True:
        if stream[at] != 0xFF:
            raise ValueError("the stream has no frame")
        marker = stream[at + 1]
        if marker == 0xFF:  # a byte of filling
            at += 1
            continue
        if marker in _FRAMES:
            bits, height, width, samples = struct.unpack_from(">BHHB", stream, at + 4)
            return Frame(bits, samples, height, width)
        if marker == _START_OF_SCAN:
            raise ValueError("the stream has no frame")
        at += 2
        if marker not in _ALONE:
            at += struct.unpack_from(">H", stream, at)[0]
