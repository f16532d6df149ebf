import struct

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

from components.films.stream import Frame, frame_of

PICTURE = (np.arange(60 * 80) % 251).astype(np.uint8).reshape(60, 80)


def encoded(suffix: str, picture: np.ndarray) -> bytes:
    _, data = cv2.imencode(suffix, picture)
    return data.tobytes()


@pytest.mark.parametrize(
    ("stream", "frame"),
    [
        (encoded(".jpg", PICTURE), Frame(8, 1, 60, 80)),
        (encoded(".jpg", np.dstack([PICTURE] * 3)), Frame(8, 3, 60, 80)),
        (encoded(".jp2", PICTURE), Frame(8, 1, 60, 80)),
        (encoded(".jp2", PICTURE.astype(np.uint16) * 100), Frame(16, 1, 60, 80)),
        (encoded(".png", PICTURE), None),
        (b"", None),
        # Two bytes of filling, a comment, and a lossless frame of 12 bits.
        (
            b"\xff\xd8\xff\xff\xff\xfe\x00\x04ab\xff\xc3\x00\x0b"
            + struct.pack(">BHHB", 12, 7, 9, 1),
            Frame(12, 1, 7, 9),
        ),
        (b"\xff\xd8\xff\xf7\x00\x0b" + struct.pack(">BHHB", 16, 0, 9, 1), Frame(16, 1, 0, 9)),
        # Two markers without a length: TEM, and the last of those that restart.
        (
            b"\xff\xd8\xff\x01\xff\xd7\xff\xc0\x00\x0b" + struct.pack(">BHHB", 8, 7, 9, 1),
            Frame(8, 1, 7, 9),
        ),
    ],
)
def test_what_a_stream_says(stream: bytes, frame: Frame | None) -> None:
    assert frame_of(stream) == frame


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_real_streams_say_what_their_headers_do(name: str) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file(name, download=False)))
    frame = frame_of(get_frame(dataset.PixelData, 0, number_of_frames=1))
    assert frame is not None
    assert frame[1:] == (dataset.SamplesPerPixel, dataset.Rows, dataset.Columns)


@pytest.mark.parametrize(
    "stream",
    [
        b"\xff\xd8",
        b"\xff\xd8\xff\xda\x00\x0c",
        b"\xff\xd8\x00\x00",
        encoded(".jpg", PICTURE)[:20],
        b"\xff\x4f\xff\x51\x00\x29",
    ],
)
def test_a_stream_that_says_nothing(stream: bytes) -> None:
    with pytest.raises(ValueError, match="no frame"):
        frame_of(stream)
