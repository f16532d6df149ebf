import cv2
import numpy as np
import pytest

from components.evaluator.blanking import blank_centre, encode_png
from components.evaluator.misreadings import FALSE_ALARM, MISS, small_picture, worst_misreadings
from components.evaluator.predictions import Predictions
from components.films.errors import FilmError
from components.films.picture import decode_grey
from support.films import encode, tiny_film


def predictions(labels: list[int], scores: list[float]) -> Predictions:
    number = len(labels)
    return Predictions(
        file_names=[f"film{film}" for film in range(number)],
        patients=[f"patient{film}" for film in range(number)],
        labels=np.array(labels),
        subtypes=["unknown"] * number,
        widths=np.full(number, 48),
        heights=np.full(number, 40),
        means=np.full(number, 0.5),
        sizes=np.full(number, 1000),
        sharpness=np.full(number, 9.0),
        scores=np.array(scores, np.float32),
    )


def test_the_surest_misreadings_come_first_misses_before_false_alarms() -> None:
    found = worst_misreadings(
        predictions([1, 1, 1, 0, 0, 0], [0.4, 0.1, 0.9, 0.6, 0.2, 0.95]), threshold=0.5
    )
    assert [(reading.kind, reading.file_name) for reading in found] == [
        (MISS, "film1"),
        (MISS, "film0"),
        (FALSE_ALARM, "film5"),
        (FALSE_ALARM, "film3"),
    ]
    assert found[0].patient == "patient1"
    assert found[0].label == 1
    assert found[0].probability == pytest.approx(0.1)


def test_a_probability_at_the_threshold_is_called() -> None:
    found = worst_misreadings(predictions([1, 0], [0.3, 0.3]), threshold=0.3)
    assert [(reading.kind, reading.file_name) for reading in found] == [(FALSE_ALARM, "film1")]


def test_six_of_a_kind_at_most_and_equal_ones_in_their_order() -> None:
    found = worst_misreadings(predictions([1] * 8, [0.4] * 7 + [0.2]), threshold=0.5)
    assert [reading.file_name for reading in found] == [
        f"film{number}" for number in (7, 0, 1, 2, 3, 4)
    ]


def test_no_misreading_is_no_list() -> None:
    assert worst_misreadings(predictions([1, 0], [0.9, 0.1]), threshold=0.5) == []


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(40, 48, (40, 48)), (512, 300, (256, 150)), (256, 1024, (64, 256)), (1200, 3, (256, 1))],
)
def test_longer_side_of_a_picture_is_256_pixels_at_most(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    data = small_picture(encode(np.full((height, width), 130, np.uint8), ".png"))
    assert data.startswith(b"\x89PNG")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.dtype == np.uint8
    assert picture.shape == expected
    assert (picture == 130).all()


def test_a_picture_is_the_mean_of_the_pixels_it_stands_for() -> None:
    film = np.random.default_rng(0).integers(0, 256, (512, 512)).astype(np.uint8)
    means = film.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(decode_grey(small_picture(encode(film, ".png"))), means, atol=0.5)


def test_a_central_rectangle_is_set_to_the_mean_grey_and_nothing_else() -> None:
    film = tiny_film(1, height=100, width=200)
    blanked = blank_centre(film)
    inside = np.zeros((100, 200), bool)
    inside[15:85, 20:180] = True
    assert (blanked[inside] == round(film.mean())).all()
    np.testing.assert_array_equal(blanked[~inside], film[~inside])


@pytest.mark.parametrize("extension", [".jpeg", ".png"])
def test_colour_and_depth_become_grey_of_the_same_size(extension: str) -> None:
    colour = np.dstack([tiny_film(seed) for seed in (1, 2, 3)])
    film = decode_grey(encode(colour, extension))
    assert (film.shape, film.dtype) == (colour.shape[:2], np.uint8)
    written = cv2.imdecode(np.frombuffer(encode_png(film), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(written, film)
    deep = tiny_film(4).astype(np.uint16) * 257
    assert decode_grey(encode(deep, ".png")).max() == tiny_film(4).max()


def test_what_is_no_image_is_an_error() -> None:
    with pytest.raises(FilmError, match="cannot be decoded"):
        decode_grey(b"no film")
