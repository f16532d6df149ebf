"""Whether a run on squashed films follows the shape that the films had before.

    python -m bench.aspect --run runs/default --native chest_xray_native

In a copy of the data set whose films were squashed to squares a wide film is a narrowed child. The
native films, found by name, tell how wide each was; within a class the log odds should not follow.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from bench.runs import predictions
from components.evaluator.bootstrap import Bootstrap
from components.evaluator.correlations import with_intervals
from components.evaluator.tally import log_odds
from components.features import CLASSES, TEST

_BOOTSTRAP = Bootstrap(2000, seed=1)


def native_ratios(folder: Path) -> dict[str, float]:
    """Returns width over height of every film in the folder, by the file's name."""
    ratios = {}
    for path in folder.rglob("*"):
        if path.suffix.lower() in {".jpeg", ".jpg", ".png"}:
            with Image.open(path) as film:
                ratios[path.name] = film.width / film.height
    return ratios


def table(run: Path, native: Path) -> str:
    """Returns the correlations on the test split as Markdown, a line a class."""
    ratios = native_ratios(native)
    lines = ["| | films | r | 95 %, patients resampled |", "|---|---|---|---|"]
    for label, name in enumerate(CLASSES):
        rows = [
            row
            for row in predictions(run, TEST)
            if row["label"] == str(label) and Path(row["file_name"]).name in ratios
        ]
        shapes = np.array([ratios[Path(row["file_name"]).name] for row in rows])
        odds = log_odds([float(row["probability"]) for row in rows])
        patients = np.array([row["patient"] for row in rows])
        found = with_intervals({"shape": shapes}, odds, patients, _BOOTSTRAP)["shape"]
        low, high = found["interval"]
        lines.append(f"| {name} | {len(rows)} | {found['r']:+.3f} | {low:+.3f} to {high:+.3f} |")
    return "\n".join(lines)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of cxr run on squashed films")
    parser.add_argument("--native", type=Path, required=True, help="folder of the native films")
    options = parser.parse_args()
    print(table(options.run, options.native))
    return 0


if __name__ == "__main__":
    sys.exit(main())
