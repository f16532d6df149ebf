import io
import struct

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.shared.features import (
    FILE_NAME,
    HEIGHT,
    IMAGE,
    LABEL,
    PATIENT,
    REFUSAL,
    SQUASHED,
    SUBTYPE,
    WIDTH,
)
from components.shared.limits import FilmLimits
from components.shared.record import CARRIED
from components.transform.preprocessing import preprocess_film, preprocessing_fn, to_square
from support.films import TINY, encode, pillow_bytes, tiny_film


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def preprocessed(data: bytes, size: int = 32, square: str = "pad") -> np.ndarray:
    picture = decoded(preprocess_film(tf.constant(data), size, square).numpy())
    assert picture.shape == (size, size)
    assert picture.dtype == np.uint8
    return picture


def from_pixels(film: np.ndarray, size: int = 32, square: str = "pad") -> np.ndarray:
    return preprocessed(encode(film, ".png"), size, square)


def white(height: int, width: int) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


def noise(height: int, width: int, *channels: int) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 256, (height, width, *channels)).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "size", "first", "after"),
    [
        (20, 80, 64, 24, 40),  # 64 * 20 / 80 = 16 rows, 24 of black on either side
        (30, 64, 33, 9, 24),  # 33 * 30 / 64 = 15.47, so 15 rows; of 18 black ones 9 are above
        (31, 64, 32, 8, 24),  # 15.5 goes to the even 16
        (50, 100, 35, 8, 26),  # 17.5 goes to the even 18; of 17 black rows 8 are above
        (1, 50, 32, 15, 16),  # 0.64 of a row
        (1, 100, 32, 15, 16),  # 0.32 of a row, which must not vanish
        (5, 10, 40, 10, 30),  # scaled up
    ],
)
def test_pad_sets_the_whole_film_on_black(
    height: int, width: int, size: int, first: int, after: int
) -> None:
    expected = np.zeros((size, size), np.uint8)
    expected[first:after] = 255
    np.testing.assert_array_equal(from_pixels(white(height, width), size), expected)
    np.testing.assert_array_equal(from_pixels(white(width, height), size), expected.T)


@pytest.mark.parametrize(("height", "width", "first"), [(20, 60, 20), (20, 61, 20), (21, 22, 0)])
def test_crop_keeps_the_middle(height: int, width: int, first: int) -> None:
    film = noise(height, width)
    middle = film[:, first : first + height]
    np.testing.assert_array_equal(from_pixels(film, height, "crop"), middle)
    np.testing.assert_array_equal(from_pixels(film.T.copy(), height, "crop"), middle.T)


@pytest.mark.parametrize(("height", "width"), [(80, 40), (48, 96), (64, 64), (10, 20)])
def test_squash_makes_the_whole_film_a_square(height: int, width: int) -> None:
    film = cv2.GaussianBlur(noise(height, width), (0, 0), 2)
    # Pillow's filter is the same, and written by others.
    expected = Image.fromarray(film).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(from_pixels(film, 32, "squash"), np.asarray(expected), atol=1)


@pytest.mark.parametrize("square", ["pad", "crop", "squash"])
def test_a_square_film_of_the_right_size_is_left_alone(square: str) -> None:
    film = noise(33, 33)
    np.testing.assert_array_equal(from_pixels(film, 33, square), film)


@pytest.mark.parametrize("square", ["pad", "crop"])
def test_a_single_pixel_fills_the_square(square: str) -> None:
    assert (from_pixels(np.full((1, 1), 77, np.uint8), 32, square) == 77).all()


def test_crop_of_a_film_one_pixel_high_keeps_its_middle_pixel() -> None:
    ramp = np.arange(51, dtype=np.uint8)[np.newaxis]
    assert (from_pixels(ramp, 32, "crop") == 25).all()


def area_filtered(film: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's bilinear filter widens with the scale: an antialiased resize by other hands."""
    return np.array(Image.fromarray(film.astype(np.float32)).resize((width, height), 2))


@pytest.mark.parametrize(
    ("height", "width", "size"), [(97, 131, 32), (200, 63, 45), (13, 17, 40), (500, 333, 64)]
)
def test_resizing_as_pillow_does(height: int, width: int, size: int) -> None:
    film = noise(height, width)
    fitted = [round(size * side / max(height, width)) for side in (height, width)]
    top, left = ((size - side) // 2 for side in fitted)
    expected = np.zeros((size, size))
    expected[top : top + fitted[0], left : left + fitted[1]] = area_filtered(film, *fitted)
    np.testing.assert_allclose(from_pixels(film, size), expected, atol=0.51)

    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    expected = area_filtered(film[top : top + side, left : left + side], size, size)
    np.testing.assert_allclose(from_pixels(film, size, "crop"), expected, atol=0.51)


@pytest.mark.parametrize("square", ["pad", "crop"])
def test_a_fine_checkerboard_becomes_grey(square: str) -> None:
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    expected = cv2.resize(board, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.ptp(expected) == 0
    np.testing.assert_allclose(from_pixels(board, 32, square), expected, atol=2)


def test_to_square_takes_bytes_and_floats_alike() -> None:
    film = noise(40, 56)[..., np.newaxis]
    of_bytes = to_square(tf.constant(film), 32, "pad").numpy()
    assert of_bytes.dtype == np.float32
    assert of_bytes.shape == (32, 32, 1)
    of_floats = to_square(tf.constant(film.astype(np.float32)), 32, "pad").numpy()
    np.testing.assert_array_equal(of_bytes, of_floats)


# Smooth, so that a JPEG of it differs by its coding and not by what it leaves out.
GREY = cv2.GaussianBlur(tiny_film(1), (0, 0), 2.0)
RGB = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
ALPHA = noise(*GREY.shape)
LOSSLESS = {
    "rgb png": encode(RGB, ".png"),
    "palette png": pillow_bytes(Image.fromarray(GREY).convert("P"), "PNG"),
    "16-bit png": encode(GREY.astype(np.uint16) * 257, ".png"),
    "16-bit rgb png": encode(RGB.astype(np.uint16) * 257, ".png"),
    "rgba png": encode(np.dstack([RGB, ALPHA]), ".png"),
    "grey and alpha png": pillow_bytes(Image.fromarray(np.dstack([GREY, ALPHA])), "PNG"),
}
JPEGS = {
    "grey jpeg": encode(GREY),
    "rgb jpeg": encode(RGB),
    "progressive jpeg": encode(GREY, ".jpeg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "cmyk jpeg": pillow_bytes(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.parametrize("form", LOSSLESS)
def test_every_lossless_form_of_a_film_gives_the_film(form: str) -> None:
    found = preprocessed(LOSSLESS[form], GREY.shape[1])
    np.testing.assert_array_equal(found[4:-4], GREY)
    assert not found[:4].any()
    assert not found[-4:].any()


@pytest.mark.parametrize("form", JPEGS)
def test_every_jpeg_of_a_film_gives_what_other_decoders_give(form: str) -> None:
    found = preprocessed(JPEGS[form], GREY.shape[1])[4:-4].astype(int)
    with Image.open(io.BytesIO(JPEGS[form])) as image:
        expected = np.asarray(image.convert("RGB").convert("L")).astype(int)
    assert np.abs(found - expected).max() <= (0 if form != "cmyk jpeg" else 1)
    assert np.abs(found - GREY).mean() <= 2.0


def test_sixteen_bits_keep_their_order_of_magnitude() -> None:
    levels = np.arange(0, 65536, 1009, dtype=np.uint16)[:64].reshape(8, 8)
    found = from_pixels(np.repeat(np.repeat(levels, 4, 0), 4, 1), 32)[::4, ::4]
    np.testing.assert_allclose(found, levels / 257.0, atol=1.0)


# Worked out by hand from 0.299 R + 0.587 G + 0.114 B; OpenCV takes blue first.
@pytest.mark.parametrize(
    ("bgr", "level"),
    [((0, 0, 255), 76), ((0, 255, 0), 150), ((255, 0, 0), 29), ((255, 255, 255), 255)],
)
def test_pure_colours(bgr: tuple[int, int, int], level: int) -> None:
    film = np.full((32, 32, 3), bgr, np.uint8)
    assert cv2.cvtColor(film, cv2.COLOR_BGR2GRAY)[0, 0] == level
    assert (from_pixels(film) == level).all()


def test_colours_become_grey_as_in_opencv() -> None:
    film = noise(32, 32, 3)
    np.testing.assert_allclose(from_pixels(film), cv2.cvtColor(film, cv2.COLOR_BGR2GRAY), atol=1)


def test_the_result_is_an_8_bit_grey_png() -> None:
    data = preprocess_film(tf.constant(encode(RGB)), 40, "pad").numpy()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[12:16] == b"IHDR"
    assert struct.unpack(">IIBB", data[16:26]) == (40, 40, 8, 0)
    assert tf.io.decode_png(data).shape == (40, 40, 1)


def batch(images: list[bytes]) -> dict[str, tf.Tensor]:
    numbers = range(len(images))
    return {
        IMAGE: tf.constant(images, tf.string),
        LABEL: tf.constant([number % 2 for number in numbers], tf.int64),
        SUBTYPE: tf.constant([("normal", "virus")[number % 2] for number in numbers], tf.string),
        PATIENT: tf.constant([f"person{number}" for number in numbers], tf.string),
        FILE_NAME: tf.constant([f"train/{number}.jpeg" for number in numbers], tf.string),
        WIDTH: tf.constant([300 + number for number in numbers], tf.int64),
        HEIGHT: tf.constant([200 for _ in numbers], tf.int64),
        SQUASHED: tf.constant([1.0 + number for number in numbers], tf.float32),
    }


CONFIG = {"input_size": 32, "square": "crop", "limits": TINY.model_dump()}


@tf.function
def in_graph(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return preprocessing_fn(inputs, CONFIG)


def test_a_batch_equals_one_by_one() -> None:
    films = [noise(20, 60), noise(64, 33, 3), noise(32, 32), noise(1, 7), noise(90, 90, 3)]
    images = [encode(film, ".png") for film in films] + [*LOSSLESS.values(), *JPEGS.values()]
    inputs = batch(images)
    for outputs in (preprocessing_fn(inputs, CONFIG), in_graph(inputs)):
        assert set(outputs) == {IMAGE, REFUSAL, SQUASHED, *CARRIED}
        assert outputs[IMAGE].dtype == tf.string
        assert outputs[REFUSAL].numpy().tolist() == [b""] * len(images)
        assert [decoded(data).tolist() for data in outputs[IMAGE].numpy()] == [
            preprocessed(data, 32, "crop").tolist() for data in images
        ]
        # A film that is cut or set on black keeps its shape, but for what was done to it before.
        for name in (SQUASHED, *CARRIED):
            assert outputs[name].dtype == inputs[name].dtype
            assert outputs[name].numpy().tolist() == inputs[name].numpy().tolist()


def test_a_squashed_film_tells_by_how_much() -> None:
    images = [encode(noise(20, 30), ".png"), encode(noise(40, 20), ".png")]
    outputs = preprocessing_fn(batch(images), {**CONFIG, "square": "squash"})
    assert outputs[SQUASHED].dtype == tf.float32
    # 300 by 200, and 301 by 200 of a film that was half as wide as it should be before.
    np.testing.assert_allclose(outputs[SQUASHED].numpy(), [1.5, 2 * 1.505], rtol=1e-6)
    for data, picture in zip(images, outputs[IMAGE].numpy(), strict=True):
        np.testing.assert_array_equal(decoded(picture), preprocessed(data, 32, "squash"))


def test_an_empty_batch_is_an_empty_batch() -> None:
    outputs = in_graph(batch([]))
    assert outputs[IMAGE].shape == (0,)
    assert outputs[IMAGE].dtype == tf.string


BROKEN = {
    "empty": b"",
    "text": b"not an image",
    "half a jpeg": encode(GREY)[: len(encode(GREY)) // 2],
    "jpeg without its end": encode(GREY)[:-40],
    "half a png": encode(GREY, ".png")[:-200],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_bytes_are_an_error_alone_and_in_a_batch(kind: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocess_film(tf.constant(BROKEN[kind]), 32, "pad")
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(batch([encode(GREY), BROKEN[kind]]))


def test_a_film_that_is_refused_says_why() -> None:
    blank = encode(np.full((40, 40), 128, np.uint8))
    small, long = GREY[:30], np.tile(GREY, (1, 5))
    films = [encode(film, ".png") for film in (GREY, small, long)]
    inputs, limits = batch([*films, blank]), FilmLimits()
    outputs = preprocessing_fn(inputs, {**CONFIG, "limits": limits.model_dump()})
    height, width = GREY.shape
    assert outputs[REFUSAL].numpy().tolist() == [
        b"",
        f"has {width} x 30 pixels: a side is under 32".encode(),
        f"has {5 * width} x {height} pixels: longer than 4 to 1".encode(),
        b"is blank: the grey level varies by 0.0000 of the range only",
    ]
    for data, picture in zip(films, outputs[IMAGE].numpy(), strict=False):
        np.testing.assert_array_equal(decoded(picture), preprocessed(data, 32, "crop"))


def test_a_film_that_is_too_large_is_not_decoded() -> None:
    limits = FilmLimits(max_pixels=GREY.size - 1).model_dump()
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocessing_fn(batch([encode(GREY)]), {**CONFIG, "limits": limits})
