import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.plain import read
from bench.speed import last_json, timed, write_films


def write(path: Path, film: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), film)


def test_films_are_enlarged_and_each_is_a_patient(tmp_path: Path) -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        for number in range(5):
            write(tmp_path / "data/train" / label / f"{number}.jpeg", np.zeros((20, 40), np.uint8))
    write_films(tmp_path / "data", tmp_path / "out", 8, 100)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in tmp_path.glob("out/*/*/*"))
    assert found == [
        "test/NORMAL/IM-0004-0001.jpeg",
        "test/PNEUMONIA/person4_bacteria_4.jpeg",
        *(f"train/NORMAL/IM-000{number}-0001.jpeg" for number in (1, 2, 3)),
        *(f"train/PNEUMONIA/person{number}_bacteria_{number}.jpeg" for number in (1, 2, 3)),
    ]
    assert cv2.imread(str(tmp_path / "out" / found[0])).shape == (50, 100, 3)


def test_the_plain_way_pads_to_a_square(tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.full((20, 40), 200, np.uint8))
    pictures, labels = read(tmp_path, [("a.png", 1)], 10)
    wanted = np.zeros((1, 10, 10, 1), np.uint8)
    wanted[:, 2:7] = 200
    np.testing.assert_array_equal(pictures, wanted)
    assert labels.tolist() == [1.0]


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="ended with 5: oh no"):
        timed([sys.executable, "-c", "import sys; print('oh no'); sys.exit(5)"])


def test_what_a_refused_run_took_counts() -> None:
    seconds, text = timed([sys.executable, "-c", "import sys; print('a\\n{}'); sys.exit(3)"])
    assert seconds > 0
    assert last_json(text) == {}
