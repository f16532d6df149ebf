import numpy as np
import pytest

from components.films.errors import FilmError
from components.films.picture import decode
from components.films.reader import plain
from components.shared.limits import FilmLimits
from support.dicom_files import dicom
from support.films import encode, tiny_film, with_exif

FILM = tiny_film(1)
LIMITS = FilmLimits()


@pytest.mark.parametrize("kind", [".jpeg", ".png"])
def test_an_upright_film_of_8_bits_is_kept(kind: str) -> None:
    assert plain(encode(FILM, kind), LIMITS) == encode(FILM, kind)
    upright = with_exif(FILM, "PNG", 1)
    assert plain(upright, LIMITS) != upright  # less its EXIF block
    np.testing.assert_array_equal(decode(plain(upright, LIMITS)), FILM)


@pytest.mark.parametrize(
    "data",
    [
        with_exif(np.rot90(FILM), "PNG", 6),  # to be turned by 90 degrees, clockwise
        encode(FILM.astype(np.uint16) * 257, ".png"),
        dicom(FILM),
    ],
    ids=["turned", "16 bits", "DICOM"],
)
def test_others_become_a_png_of_what_they_show(data: bytes) -> None:
    made = plain(data, LIMITS)
    assert made.startswith(b"\x89PNG")
    assert made != data
    assert plain(made, LIMITS) == made
    np.testing.assert_array_equal(decode(made), FILM)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is neither JPEG, PNG nor DICOM"),
        (encode(FILM)[:-40], "is a truncated JPEG"),
        (encode(FILM[:20], ".png"), "has 48 x 20 pixels: a side is under 32"),
        (dicom(FILM[:20]), "has 48 x 20 pixels: a side is under 32"),
        (dicom(FILM, PatientAge="070Y"), "is of an adult"),
    ],
)
def test_what_is_no_film_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FilmError, match=reason):
        plain(data, LIMITS)


def test_a_large_file_is_refused_whatever_it_is() -> None:
    for data in (encode(FILM), dicom(FILM), b"x" * 5000):
        with pytest.raises(FilmError, match=f"has {len(data)} bytes; at most 99 are read"):
            plain(data, FilmLimits(max_bytes=99))
