import pytest

from components.shared.patients import name_stream, patient_key, patient_number, squashed, subtype

KEYS = [
    ("train/NORMAL/IM-0115-0001.jpeg", "IM-0115"),
    ("test/NORMAL/NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115"),
    ("train/NORMAL/IM-0125-0001-0002.jpeg", "IM-0125"),
    ("train/PNEUMONIA/person23_bacteria_78.jpeg", "person23_bacteria"),
    ("train/PNEUMONIA/person23_virus_56.jpeg", "person23_virus"),
    ("train/PNEUMONIA/person447_virus_921_1.jpeg", "person447_virus"),
    ("train/PNEUMONIA/BACTERIA-1135262-0001.jpeg", "BACTERIA-1135262"),
    ("train/NORMAL/NORMAL-1049278-0001.jpeg", "NORMAL-1049278"),
    ("train/PNEUMONIA/VIRUS-1049278-0001.jpeg", "VIRUS-1049278"),
    ("train/NORMAL/holiday.jpeg", "train/NORMAL/holiday.jpeg"),
    ("im-7-1.PNG", "IM-0007"),
]


@pytest.mark.parametrize(("file_name", "key"), KEYS)
def test_patient_key(file_name: str, key: str) -> None:
    assert patient_key(file_name) == key


def test_counters_of_the_public_set_are_separate() -> None:
    assert len({key for _, key in KEYS}) == len(KEYS)


@pytest.mark.parametrize(
    ("key", "stream"),
    [
        ("IM-0115", "IM"),
        ("NORMAL2-IM-0115", "NORMAL2-IM"),
        ("person23_bacteria", "bacteria"),
        ("person23_virus", "virus"),
        ("VIRUS-1049278", "virus"),
        ("NORMAL-1049278", "normal"),
        ("train/NORMAL/holiday.jpeg", "other"),
    ],
)
def test_name_stream(key: str, stream: str) -> None:
    assert name_stream(key) == stream


def test_the_folder_goes_before_the_name() -> None:
    assert subtype("train/NORMAL/person23_bacteria_78.jpeg", pneumonia=False) == "normal"
    assert subtype("train/PNEUMONIA/IM-0115-0001.jpeg", pneumonia=True) == "unknown"
    assert subtype("train/PNEUMONIA/person23_bacteria_78.jpeg", pneumonia=True) == "bacteria"
    assert subtype("train/PNEUMONIA/VIRUS-1-0001.jpeg", pneumonia=True) == "virus"
    assert subtype("train/PNEUMONIA/scan.jpeg", pneumonia=True) == "unknown"


@pytest.mark.parametrize(
    ("patient", "number"),
    [
        ("IM-0115", 115),
        ("NORMAL2-IM-0007", 7),
        ("person23_bacteria", 23),
        ("VIRUS-1049278", 1049278),
        ("train/NORMAL/film-12.jpeg", 12),
        ("train2/NORMAL/film.jp2", 0),
    ],
)
def test_numbers_of_patients(patient: str, number: int) -> None:
    assert patient_number(patient) == number


@pytest.mark.parametrize(
    ("name", "pneumonia", "width", "height", "expected"),
    [
        ("train/NORMAL/IM-0115-0001.jpeg", False, 224, 224, 1.212),
        ("test/NORMAL/NORMAL2-IM-0115-0001.jpeg", False, 512, 512, 1.212),
        ("train/PNEUMONIA/person23_virus_53.jpeg", True, 224, 224, 1.499),
        ("train/PNEUMONIA/BACTERIA-1049278-0003.jpeg", True, 224, 224, 1.499),
        # In its own shape, and a square of somebody else's.
        ("train/NORMAL/IM-0115-0001.jpeg", False, 1_500, 1_200, 1.0),
        ("train/PNEUMONIA/person23_virus_53.jpeg", True, 225, 224, 1.0),
        ("train/PNEUMONIA/00001.png", True, 512, 512, 1.0),
    ],
)
def test_squares_of_the_public_set_were_squashed(
    name: str, pneumonia: bool, width: int, height: int, expected: float
) -> None:
    assert squashed(name, pneumonia, width, height) == expected
