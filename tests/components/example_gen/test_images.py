import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.example_gen.images import inspect_image
from components.films.errors import FilmError
from components.shared.limits import FilmLimits
from support.films import encode, pillow_bytes, tiny_film

LIMITS = FilmLimits()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_facts_of_a_film_worked_out_by_hand() -> None:
    film = np.zeros((40, 60), np.uint8)
    film[:, :30] = 255
    facts = inspect_image(encode(film, ".png"), LIMITS)
    assert (facts.width, facts.height, facts.channels) == (60, 40, 1)
    assert facts.mean == pytest.approx(0.5)
    assert facts.std == pytest.approx(0.5)
    assert facts.colour == "grey"


GREY = tiny_film(1)
RGB = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
FORMS = {
    "grey jpeg": (encode(GREY), 1),
    "rgb jpeg": (encode(RGB), 3),
    "progressive jpeg": (encode(GREY, ".jpeg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 1),
    "grey png": (encode(GREY, ".png"), 1),
    "rgb png": (encode(RGB, ".png"), 3),
    "rgba png": (encode(cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGRA), ".png"), 4),
    "16-bit png": (encode(GREY.astype(np.uint16) * 257, ".png"), 1),
    "palette png": (pillow_bytes(Image.fromarray(GREY).convert("P"), "PNG"), 3),
    "cmyk jpeg": (pillow_bytes(Image.fromarray(RGB).convert("CMYK"), "JPEG"), 3),
    "jpeg with a tail": (encode(GREY) + b"appended by a tool", 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_film_looks_the_same(form: str) -> None:
    data, channels = FORMS[form]
    facts = inspect_image(data, LIMITS)
    assert facts.channels == channels
    assert (facts.width, facts.height) == (48, 40)
    assert facts.mean == pytest.approx(GREY.mean() / 255.0, abs=0.01)
    assert facts.std == pytest.approx(GREY.std() / 255.0, abs=0.02)
    assert (facts.colour, facts.polarity) == ("grey", "positive")


def test_a_negative_and_a_photograph_are_told() -> None:
    assert inspect_image(encode(255 - GREY), LIMITS).polarity == "inverted"
    photograph = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert inspect_image(encode(photograph, ".png"), LIMITS).colour == "colour"


BAD = {
    "is empty": b"",
    "is neither JPEG, PNG nor DICOM": b"<html>404</html>",
    "is neither JPEG": pillow_bytes(Image.fromarray(GREY), "GIF"),
    "truncated JPEG": encode(GREY)[:-40],
    "cannot be decoded": png_that_claims(100, 100),
    "at most 50000000 are read": png_that_claims(9_000, 9_000),
    "too many pixels": png_that_claims(50_000, 50_000),
    "a side is under 32": encode(GREY[:31]),
    "longer than 4 to 1": encode(np.tile(GREY, (1, 4))),
    "blank": encode(np.full((40, 40), 128, np.uint8)),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_files_are_named(reason: str) -> None:
    with pytest.raises(FilmError, match=reason):
        inspect_image(BAD[reason], LIMITS)


def test_a_png_with_a_flipped_bit_or_without_its_end_is_bad() -> None:
    data = bytearray(encode(GREY, ".png"))
    data[len(data) // 2] ^= 1
    with pytest.raises(FilmError, match="is no readable"):
        inspect_image(bytes(data), LIMITS)
    with pytest.raises(FilmError, match="is a broken JPEG or PNG"):
        inspect_image(encode(GREY, ".png")[:-12], LIMITS)


def test_the_largest_film_is_as_set() -> None:
    # 48 x 40 pixels.
    assert inspect_image(encode(GREY), FilmLimits(max_pixels=1920)).width == 48
    with pytest.raises(FilmError, match="has 48 x 40 pixels; at most 1919 are read"):
        inspect_image(encode(GREY), FilmLimits(max_pixels=1919))


@pytest.mark.parametrize(("levels", "colour"), [(4, "grey"), (6, "colour")])
def test_a_tinted_film_has_colour_from_a_fiftieth_of_the_range_on(levels: int, colour: str) -> None:
    # One channel is brighter throughout, by 4 or 6 of 255 levels; the limit is 5.1.
    tinted = np.dstack([GREY // 2, GREY // 2, GREY // 2 + levels])
    assert inspect_image(encode(tinted, ".png"), LIMITS).colour == colour


def test_a_file_over_the_limit_is_not_parsed() -> None:
    with pytest.raises(FilmError, match="has 1000 bytes; at most 999 are read"):
        inspect_image(b"x" * 1000, FilmLimits(max_bytes=999))
    film = encode(tiny_film(1, height=40, width=60), ".png")
    assert inspect_image(film, FilmLimits(max_bytes=len(film))).height == 40


def test_a_thumbnail_does_not_hide_that_the_film_is_truncated() -> None:
    data = encode(GREY)
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    whole = data[:2] + thumbnail + data[2:]
    assert inspect_image(whole, LIMITS).width == 48
    with pytest.raises(FilmError, match="truncated"):
        inspect_image(whole[:-30], LIMITS)


def test_a_marker_inside_a_scan_which_opencv_skips_is_bad() -> None:
    data = bytearray(encode(tiny_film(3, height=400, width=400)))
    middle = len(data) // 2
    data[middle : middle + 2] = b"\xff\x79"
    assert cv2.imdecode(np.frombuffer(bytes(data), np.uint8), cv2.IMREAD_UNCHANGED) is not None
    with pytest.raises(FilmError, match="is a broken JPEG or PNG"):
        inspect_image(bytes(data), LIMITS)


@pytest.mark.parametrize(("kind", "decoder"), [(".jpeg", "decode_jpeg"), (".png", "decode_png")])
def test_what_the_served_model_cannot_decode_is_bad(
    kind: str, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise tf.errors.InvalidArgumentError(None, None, "{{node Decode}} Invalid data\n[Op]")

    monkeypatch.setattr(tf.io, decoder, refuse)
    with pytest.raises(FilmError, match=r"^cannot be decoded by TensorFlow \(Invalid data\)$"):
        inspect_image(encode(GREY, kind), LIMITS)
