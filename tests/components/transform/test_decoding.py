"""The graph that servers run against the reader of films, bytes for bytes."""

import random

import cv2
import numpy as np
import pytest
import tensorflow as tf

from components.films import headers, orientation, picture
from components.films.errors import FilmError
from components.shared.limits import FilmLimits
from components.transform import decoding
from support.exif import CASES
from support.films import TINY, encode, tiny_film, with_exif

STRING = [tf.TensorSpec([], tf.string)]
FILM = tiny_film(3, height=45, width=60)


@tf.function(input_signature=STRING)
def way_of(data: tf.Tensor) -> tf.Tensor:
    return decoding.orientation(data)


@tf.function(input_signature=STRING)
def decoded(data: tf.Tensor) -> tf.Tensor:
    return decoding.decode_film(data)


@pytest.mark.parametrize("case", CASES)
def test_the_orientation_is_that_of_the_reader(case: str) -> None:
    data, way = CASES[case]
    assert way_of(data).numpy() == way


def test_the_orientation_of_damaged_files_is_that_of_the_reader() -> None:
    chance = random.Random(1)
    whole = [with_exif(FILM, kind, 6) for kind in ("JPEG", "PNG")]
    told = set()
    for _ in range(400):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(min(120, len(data)))] = chance.randrange(256)
        data = data[: chance.choice((len(data), chance.randrange(len(data))))]
        way = orientation.orientation(bytes(data))
        assert way_of(bytes(data)).numpy() == way, bytes(data[:120])
        told.add(way)
    assert {1, 6} <= told


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("way", range(1, 9))
def test_all_eight_are_turned_as_the_reader_turns_them(kind: str, way: int) -> None:
    data = with_exif(FILM, kind, way)
    np.testing.assert_allclose(decoded(data)[..., 0], picture.decode(data), atol=1e-3)


@pytest.mark.parametrize("bits", range(9, 17))
def test_sixteen_bits_are_shown_as_the_reader_shows_them(bits: int) -> None:
    smooth = cv2.GaussianBlur(FILM.astype(np.float64), (0, 0), 2.0)
    words = np.rint((smooth - smooth.min()) / np.ptp(smooth) * (2**bits - 1)).astype(np.uint16)
    data = encode(words, ".png")
    shown = decoded(data)[..., 0].numpy()
    np.testing.assert_array_equal(shown, picture.decode(data))
    # By hand: up to 14 bits what is used is shown, beyond that all sixteen.
    white = 2**bits - 1 if bits <= 14 else 65535
    np.testing.assert_array_equal(shown, np.rint(words / white * 255.0))


def test_sixteen_bits_in_colour_and_with_alpha_are_shown_as_grey_ones_are() -> None:
    words = (FILM.astype(np.uint16) * 16)[..., np.newaxis]
    alpha = np.full_like(words, 65535)
    grey = decoded(encode(words, ".png")).numpy()
    for channels in ([words] * 3, [words, words, words, alpha]):
        data = encode(np.dstack(channels), ".png")
        np.testing.assert_array_equal(decoded(data), grey)
        np.testing.assert_array_equal(picture.decode_grey(data), grey[..., 0])


def test_sixteen_bits_of_one_grey_are_as_bright_as_they_say() -> None:
    data = encode(np.full((40, 40), 32768, np.uint16), ".png")
    assert (decoded(data) == 128).numpy().all()
    assert (picture.decode(data) == 128).all()


LIMITS = FilmLimits(max_bytes=20_000, max_pixels=10_000, min_side=33, max_aspect_ratio=2.5)
REFUSED = {
    "is empty": b"",
    "has 20001 bytes; at most 20000 are read": b"x" * 20_001,
    "is no readable JPEG or PNG": b"GIF89a" + bytes(50),
    "has 200 x 100 pixels; at most 10000 are read": encode(tiny_film(1, height=100, width=200)),
    "has 40 x 32 pixels: a side is under 33": encode(tiny_film(1, height=32, width=40), ".png"),
    "has 101 x 40 pixels: longer than 2.5 to 1": encode(tiny_film(1, height=40, width=101)),
    "has 40 x 101 pixels: longer than 2.5 to 1": encode(tiny_film(1, height=101, width=40), ".png"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_off_the_limits_is_refused_in_the_words_of_the_reader(reason: str) -> None:
    data = REFUSED[reason]
    graph = tf.function(lambda one: decoding.refusal(one, LIMITS), input_signature=STRING)
    assert graph(data).numpy().decode() == reason
    with pytest.raises(FilmError) as caught:
        headers.check_film(data, LIMITS)
    assert str(caught.value) == reason


def test_what_is_on_the_limits_is_read() -> None:
    graph = tf.function(lambda one: decoding.refusal(one, LIMITS), input_signature=STRING)
    for height, width in ((100, 100), (33, 33), (40, 100)):
        for kind in (".jpeg", ".png"):
            data = encode(tiny_film(1, height=height, width=width), kind)
            assert graph(data).numpy() == b""
            headers.check_film(data, LIMITS)


@pytest.mark.parametrize(("levels", "why"), [(5, "0.0098"), (6, "")])
def test_a_hundredth_of_the_range_is_a_picture(levels: int, why: str) -> None:
    # Half of the columns at 100, half so many levels above: the deviation is half of that.
    film = np.tile(np.array([100, 100 + levels], np.float32), (40, 20))[..., np.newaxis]
    said = f"is blank: the grey level varies by {why} of the range only" if why else ""
    assert decoding.why_blank(tf.constant(film)).numpy().decode() == said


def test_tiny_films_are_read_where_they_may_be() -> None:
    graph = tf.function(lambda one: decoding.refusal(one, TINY), input_signature=STRING)
    assert graph(encode(np.zeros((1, 500), np.uint8), ".png")).numpy() == b""
