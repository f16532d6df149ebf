import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from components.films.bare import bare
from components.films.errors import FilmError
from components.films.orientation import MOST_PARTS
from support.films import encode, tiny_film

FILM = tiny_film(1)
NAME = b"DOE^JANE"


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", [".jpeg", ".png"])
def test_a_file_of_a_picture_alone_is_kept_as_it_is(kind: str) -> None:
    assert bare(encode(FILM, kind)) == encode(FILM, kind)


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xED, 0xEF, 0xFE])
def test_a_segment_that_says_something_is_left_out(marker: int) -> None:
    plain = encode(FILM)
    assert bare(plain[:2] + segment(marker, NAME) + plain[2:]) == plain


def test_what_follows_the_picture_is_left_out() -> None:
    for kind in (".jpeg", ".png"):
        assert bare(encode(FILM, kind) + NAME) == encode(FILM, kind)


def test_segments_between_the_scans_are_left_out() -> None:
    buffer = io.BytesIO()
    Image.fromarray(FILM).save(buffer, "JPEG", progressive=True, comment=NAME)
    data = buffer.getvalue()
    second = data.rindex(b"\xff\xda")
    data = data[:second] + segment(0xFE, NAME) + data[second:]
    assert data.count(NAME) == 2
    stripped = bare(data)
    assert NAME not in stripped
    np.testing.assert_array_equal(pixels(stripped), pixels(data))


def test_restarts_and_bytes_that_look_like_markers_are_the_picture() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95, restart_marker_blocks=1)
    data = buffer.getvalue()
    assert b"\xff\xd0" in data
    assert b"\xff\x00" in data
    assert bare(data) == data


def test_cmyk_stays_cmyk() -> None:
    buffer = io.BytesIO()
    Image.fromarray(FILM).convert("CMYK").save(buffer, "JPEG")
    assert bare(buffer.getvalue()) == buffer.getvalue()


def test_chunks_that_say_something_are_left_out() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Name", NAME.decode())
    said.add_itxt("Name", NAME.decode())
    buffer = io.BytesIO()
    Image.fromarray(FILM).save(buffer, "PNG", pnginfo=said, dpi=(300, 300))
    stripped = bare(buffer.getvalue())
    assert NAME in buffer.getvalue()
    assert NAME not in stripped
    np.testing.assert_array_equal(pixels(stripped), FILM)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        encode(FILM)[:-2],
        encode(FILM, ".png")[:-12],
        b"\xff\xd8\x00",
        b"\xff\xd8\xff",
    ],
)
def test_parts_that_cannot_be_told(data: bytes) -> None:
    with pytest.raises(FilmError, match="do not follow one another"):
        bare(data)


def test_of_more_parts_than_any_film_has_nothing_is_read() -> None:
    jpeg, png = encode(FILM), encode(FILM, ".png")
    comment, chunk = segment(0xFE, b""), struct.pack(">I4sI", 0, b"tEXt", zlib.crc32(b"tEXt"))
    for many in (
        jpeg[:2] + comment * MOST_PARTS + jpeg[2:],
        jpeg[:2] + b"\xff" * MOST_PARTS + jpeg[2:],
        png[:33] + chunk * MOST_PARTS + png[33:],
    ):
        with pytest.raises(FilmError, match="do not follow one another"):
            bare(many)
    assert bare(jpeg[:2] + comment * 10_000 + jpeg[2:]) == jpeg
    assert bare(png[:33] + chunk * 10_000 + png[33:]) == png


def test_the_length_of_a_scan_costs_next_to_nothing() -> None:
    jpeg = encode(FILM)
    start = time.perf_counter()
    for filling in (b"\xff\x00", b"\xff\xd0", b"\xff"):
        bare(jpeg[:-2] + filling * (8 * 2**20) + jpeg[-2:])
    assert time.perf_counter() - start < 3.0


def test_nothing_stands_between_the_only_scan_and_the_end() -> None:
    plain = encode(FILM)
    with pytest.raises(FilmError, match="do not follow one another"):
        bare(plain[:-2] + segment(0xFE, NAME) + plain[-2:])
    # A second start of scan, after which OpenCV goes on with whatever comes.
    start, middle = plain.index(b"\xff\xda"), len(plain) - 100
    again = plain[start : start + 10]
    with pytest.raises(FilmError, match="do not follow one another"):
        bare(plain[:middle] + again + plain[middle:])
    lines = segment(0xDC, struct.pack(">H", FILM.shape[0]))
    assert bare(plain[:-2] + lines + plain[-2:]) == plain[:-2] + lines + plain[-2:]


@pytest.mark.parametrize("marker", [0x01, 0x79, 0xC0, 0xD8, 0xDC, 0xE1, 0xF0, 0xFE])
def test_a_scan_that_breaks_off_is_no_picture(marker: int) -> None:
    plain = encode(FILM)
    middle = (plain.index(b"\xff\xda") + len(plain)) // 2
    for inside in (struct.pack(">BB", 0xFF, marker), segment(marker, NAME)):
        with pytest.raises(FilmError, match="do not follow one another"):
            bare(plain[:middle] + inside + plain[middle:])
