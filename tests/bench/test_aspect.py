import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from bench.aspect import (
    SHAPES,
    Film,
    correlations,
    in_one_shape,
    read_films,
    squashed,
    stretch_slopes,
)
from components.shared.statistics.tally import log_odds
from support.films import encode


def test_ratios_are_of_the_files(tmp_path: Path) -> None:
    evaluation = tmp_path / "run" / "artifacts" / "YoudenEvaluator" / "evaluation" / "1"
    evaluation.mkdir(parents=True)
    rows = [f"test,elsewhere/{name},p,0,0.5\n" for name in ("a.jpeg", "b.PNG", "notes.txt")]
    header = "split,file_name,patient,label,probability\n"
    (evaluation / "predictions.csv").write_text(header + "".join(rows))
    folder = tmp_path / "native" / "test" / "NORMAL"
    folder.mkdir(parents=True)
    for name, width in (("a.jpeg", 60), ("b.PNG", 30)):
        path = folder / name
        path.write_bytes(encode(np.zeros((40, width), np.uint8), path.suffix.lower()))
    (folder / "notes.txt").write_text("no film")
    found = read_films(tmp_path / "run", tmp_path / "native")
    assert [film.ratio for film in found] == [1.5, 0.75]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of forty films, of which the last ten are not to be had natively."""
    rng = np.random.default_rng(1)
    evaluations = tmp_path / "run" / "artifacts" / "YoudenEvaluator" / "evaluation"
    older, folder = evaluations / "7", evaluations / "10"
    older.mkdir(parents=True)
    folder.mkdir()
    (older / "predictions.csv").write_text("split,label\n")
    (tmp_path / "native").mkdir()
    with open(folder / "predictions.csv", "w", newline="") as file:
        writer = csv.DictWriter(
            file, ["split", "file_name", "patient", "label", "width", "probability"]
        )
        writer.writeheader()
        for number in range(40):
            width, label = int(rng.integers(30, 60)), number % 2
            if number < 30:
                film = encode(np.zeros((40, width), np.uint8), ".png")
                (tmp_path / "native" / f"{number}.png").write_bytes(film)
            row = {"file_name": f"test/{number}.png", "patient": number // 3, "label": label}
            writer.writerow({**row, "split": "test", "width": width, "probability": rng.random()})
            writer.writerow({**row, "split": "eval", "width": width, "probability": 0.5})
    return tmp_path / "run"


def test_the_log_odds_are_held_against_the_native_shapes(run: Path) -> None:
    films = read_films(run, run.parent / "native")
    lines = list(correlations(films, np.zeros(len(films))))[2:]
    with open(next(run.rglob("10/predictions.csv")), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"][:30]
    for label, (name, line) in enumerate(zip(("NORMAL", "PNEUMONIA"), lines, strict=True)):
        of_class = [row for row in rows if row["label"] == str(label)]
        expected = stats.pearsonr(
            [int(row["width"]) / 40 for row in of_class],
            log_odds([float(row["probability"]) for row in of_class]),
        ).statistic
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        assert cells[:3] == [name, "15", f"{expected:+.3f}"]
        low, high = map(float, cells[3].split(" to "))
        assert low < expected < high
        assert cells[4] == "+0.000"


def test_without_native_films_there_is_no_correlation(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = read_films(run, tmp_path / "empty")
    assert "| NORMAL | 0 | +nan | +nan to +nan | +nan |" in list(correlations(found, np.zeros(0)))


def test_what_of_a_correlation_is_the_stretch() -> None:
    # Log odds that are the log ratio and twice as much again of something along with it.
    widths = [30, 40, 50, 60, 80]
    films = [
        Film(label, str(width), 3 * np.log(width / 40), np.zeros((40, width), np.uint8))
        for label in (0, 1)
        for width in widths
    ]
    slopes = np.repeat([1.0, -1.5], len(widths))
    ratios = np.array(widths) / 40
    r = stats.pearsonr(ratios, np.log(ratios)).statistic
    cells = [line.split("|") for line in list(correlations(films, slopes))[2:]]
    assert [row[3].strip() for row in cells] == [f"{r:+.3f}"] * 2
    assert [row[5].strip() for row in cells] == [f"{r / 3:+.3f}", f"{-r / 2:+.3f}"]


def test_the_slope_is_of_the_stretch_of_the_square_film() -> None:
    film = np.full((300, 450), 50, np.uint8)
    film[100:200, 150:300] = 250
    asked = []

    def read(shown: list[np.ndarray]) -> np.ndarray:
        (picture,) = shown
        inside = picture > 150
        across, down = inside.any(axis=0).sum(), inside.any(axis=1).sum()
        asked.append((across, down))
        return np.array([expit(2.0 * np.log(down / across))])

    found = stretch_slopes([Film(1, "p", 0.0, film)], read)
    # A third of 224, and 224 / 196 times as much in one direction.
    np.testing.assert_allclose(asked, [(74.7, 85.3), (85.3, 74.7)], atol=1.5)
    assert found == pytest.approx([2.0], rel=0.2)


def test_a_film_is_cut_about_its_middle_and_squashed() -> None:
    film = np.zeros((448, 896), np.uint8)
    film[:, 224:672] = 200
    film[:224, 224:672] = 100
    # Twice as wide as high: a quarter of black on either side.
    whole = squashed(film, None)
    assert whole.shape == (224, 224)
    np.testing.assert_array_equal(whole[0], [0] * 56 + [100] * 112 + [0] * 56)
    np.testing.assert_array_equal(whole[:, 112], [100] * 112 + [200] * 112)
    # Cut to a square nothing of it is squashed; cut further, rows go: 224 of 448 about the middle.
    np.testing.assert_array_equal(squashed(film, 1.0)[0], [100] * 224)
    np.testing.assert_array_equal(squashed(film, 4.0), whole)
    film[:112], film[336:] = 7, 7
    assert squashed(film, 4.0).min() == 0
    assert 7 not in squashed(film, 4.0)


def test_films_of_one_shape_are_read_in_that_shape() -> None:
    films = [
        Film(label, "", 0.0, np.full((40, width), 10 * width, np.uint8))
        for label, width in ((0, 10), (0, 20), (1, 15), (1, 25))
    ]
    asked = []

    def read(shown: list[np.ndarray]) -> np.ndarray:
        asked.append([int(film[0, 0]) for film in shown])
        return np.array([0.1, 0.6, 0.5, 0.9])

    lines = list(in_one_shape(films, read, threshold=0.6))
    assert asked == [[100, 200, 150, 250]] * len(SHAPES)
    # Of four pairs one is the wrong way round, by their shape and by what was read of them; of
    # each class one is at the threshold or above.
    assert lines[2] == "| by itself, no film read | 0.7500 | | |"
    assert lines[3] == "| as they were | 0.7500 | 0.500 | 0.500 |"
    assert [line.split("|")[1].strip() for line in lines[3:]] == list(SHAPES)
