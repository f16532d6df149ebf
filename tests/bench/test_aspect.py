import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.aspect import native_ratios, table
from components.evaluator.tally import log_odds
from films import encode


def test_ratios_are_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "test" / "NORMAL").mkdir(parents=True)
    for name, width in (("a.jpeg", 60), ("b.PNG", 30)):
        path = tmp_path / "test" / "NORMAL" / name
        path.write_bytes(encode(np.zeros((40, width), np.uint8), path.suffix.lower()))
    (tmp_path / "notes.txt").write_text("no film")
    assert native_ratios(tmp_path) == {"a.jpeg": 1.5, "b.PNG": 0.75}


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
    lines = table(run, run.parent / "native").splitlines()[2:]
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


def test_without_native_films_there_is_no_correlation(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "| NORMAL | 0 | +nan | +nan to +nan |" in table(run, tmp_path / "empty")
