from pathlib import Path

import cv2
import numpy as np
import pytest

from components.films.errors import FilmError
from components.shared.errors import InputError
from serving.client import films
from support.dicom_files import EIGHT, dicom
from support.films import TINY, encode

LIMITS = TINY
PNG = b"\x89PNG\r\n\x1a\n"


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)


def test_files_folders_and_patterns_in_order_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "b/2.JPG", "b/deep/1.png", "b/notes.txt", "b/.hidden.png", "c3.jpeg", "c1.jpeg")
    (tmp_path / "b/IM000001").write_bytes(dicom(EIGHT))
    (tmp_path / "b/README").write_text("no film")
    monkeypatch.chdir(tmp_path)
    found = films.find_films(["c*.jpeg", "b", "c3.jpeg"])
    assert [str(path) for path in found] == [
        "c1.jpeg",
        "c3.jpeg",
        "b/2.JPG",
        "b/IM000001",
        "b/deep/1.png",
    ]


def test_a_named_file_is_meant_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt", "odd[1].png")
    for name in ("notes.txt", "odd[1].png"):
        assert films.find_films([str(tmp_path / name)]) == [tmp_path / name]


def test_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\*\.png does not exist"):
        films.find_films([str(tmp_path / "none*.png")])
    with pytest.raises(InputError, match="holds no film"):
        films.find_films([str(tmp_path)])


def test_pictures_are_sent_as_they_are_and_dicom_as_png(tmp_path: Path) -> None:
    for kind in (".png", ".jpeg"):
        (tmp_path / "film").write_bytes(encode(EIGHT, kind))
        assert films.load(tmp_path / "film", LIMITS) == encode(EIGHT, kind)
    (tmp_path / "film").write_bytes(dicom(EIGHT))
    picture = cv2.imdecode(np.frombuffer(films.load(tmp_path / "film", LIMITS), np.uint8), 0)
    np.testing.assert_array_equal(picture, EIGHT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "is empty"), (b"GIF89a", "is neither JPEG, PNG nor DICOM")],
)
def test_other_files_are_errors_of_the_film(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "film").write_bytes(data)
    with pytest.raises(FilmError, match=reason):
        films.load(tmp_path / "film", LIMITS)


def test_a_film_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(PNG + b"1")
    with pytest.raises(FilmError, match="has 9 bytes; at most 8 are read"):
        films.load(tmp_path / "film", TINY.changed(max_bytes=8))
    (tmp_path / "film").write_bytes(dicom(EIGHT))
    with pytest.raises(
        FilmError, match=f"has {EIGHT.shape[1]} x {EIGHT.shape[0]} pixels; at most 5 are read"
    ):
        films.load(tmp_path / "film", TINY.changed(max_pixels=5))


def test_a_film_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match="cannot be read: No such file"):
        films.load(tmp_path / "film", LIMITS)
