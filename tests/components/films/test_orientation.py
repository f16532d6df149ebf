import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from components.films.orientation import orientation
from components.films.picture import decode, decode_grey
from support.exif import CASES
from support.films import tiny_film, with_exif

FILM = tiny_film(7, height=40, width=56)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("way", range(1, 9))
def test_all_eight_are_shown_as_pillow_shows_them(kind: str, way: int) -> None:
    data = with_exif(FILM, kind, way)
    assert orientation(data) == way
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert shown.shape == ((40, 56) if way < 5 else (56, 40))
    # Two decoders of the JPEG may differ by a level.
    for picture in (decode(data), decode_grey(data)):
        np.testing.assert_allclose(picture.astype(int), shown, atol=0 if kind == "PNG" else 1)


def test_opencv_shows_a_jpeg_as_we_do() -> None:
    for way in range(1, 9):
        data = with_exif(FILM, "JPEG", way)
        np.testing.assert_array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), 0))


@pytest.mark.parametrize("way", [0, 9, 270])
def test_what_is_none_of_the_eight_turns_nothing(way: int) -> None:
    assert orientation(with_exif(FILM, "JPEG", way)) == 1


@pytest.mark.parametrize("case", CASES)
def test_what_a_block_says_by_hand(case: str) -> None:
    data, way = CASES[case]
    assert orientation(data) == way
