"""Whether a run on squashed films follows the shape that the films had before.

    python -m bench.aspect --run runs/default --native chest_xray_native/test

In a copy of the data set whose films were squashed to squares a wide film is a narrowed child. The
native films, found by name, tell how wide each was; within a class the log odds should not follow.
They may for what goes along with a shape too, such as who is filmed how: how much of it is the
stretch itself is told by stretching each film a little further.
Squashed again from one shape, for which each is cut about its middle, they show what the net knows
besides: pneumonias are wider than normal films, which tells the classes apart by itself. The
widest shape is last given to the normal films alone.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from bench.runs import newest_model, predictions
from components.evaluator.blanking import encode_png
from components.evaluator.correlations import with_intervals
from components.evaluator.metrics import binary_metrics
from components.films.picture import decode_grey
from components.shared.features import CLASSES, TEST
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.tally import log_odds
from serving.client.servers import LocalModel

_BOOTSTRAP = Bootstrap(2000, seed=1)
# Side of the squashed copy's films.
_SIDE = 224
# Rows, or columns, about the middle that are stretched to the whole side.
_STRETCHED = 196
# From uint8 [S, S] films to their probabilities of pneumonia, [N].
Read = Callable[[list[np.ndarray]], np.ndarray]
# Width over height of a normal film and of one with pneumonia; None: the film's own.
SHAPES: Mapping[str, tuple[float | None, float | None]] = {
    "as they were": (None, None),
    "all 1 wide": (1.0, 1.0),
    "all 1.25 wide": (1.25, 1.25),
    "all 1.5 wide": (1.5, 1.5),
    "normal 1.5, pneumonia 1.25 wide": (1.5, 1.25),
}


class Film(NamedTuple):
    """A test film of which the native one is to be had.

    Attributes:
        label: 0 or 1.
        patient: whose.
        odds: log odds of pneumonia that the run found.
        native: uint8 [H, W].
    """

    label: int
    patient: str
    odds: float
    native: np.ndarray

    @property
    def ratio(self) -> float:
        """Width over height."""
        return self.native.shape[1] / self.native.shape[0]


def read_films(run: Path, folder: Path) -> list[Film]:
    """Returns the films of a run's test split that a folder holds natively, found by name."""
    paths = {
        path.name: path
        for path in folder.rglob("*")
        if path.suffix.lower() in {".jpeg", ".jpg", ".png"}
    }
    return [
        Film(
            int(row["label"]),
            row["patient"],
            float(log_odds([float(row["probability"])])[0]),
            decode_grey(paths[name].read_bytes()),
        )
        for row in predictions(run, TEST)
        if (name := Path(row["file_name"]).name) in paths
    ]


def squashed(film: np.ndarray, ratio: float | None) -> np.ndarray:
    """Returns the film squashed to a square.

    Args:
        film: uint8 [H, W].
        ratio: width over height that it is cut to before, about its middle; None: as it is.
    """
    height, width = film.shape
    if ratio is not None:
        across, down = min(width, round(height * ratio)), min(height, round(width / ratio))
        left, top = (width - across) // 2, (height - down) // 2
        film = film[top : top + down, left : left + across]
    return cv2.resize(film, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def stretch_slopes(films: list[Film], read: Read) -> np.ndarray:
    """Returns how the log odds follow the stretch of each film, by the log of width over height.

    Args:
        films: N.
        read: see `in_one_shape`.

    Returns:
        [N]: between the square film stretched in height, as one that was wider is, and in width.
    """
    start = (_SIDE - _STRETCHED) // 2
    middle = slice(start, start + _STRETCHED)
    squares = [squashed(film.native, None) for film in films]
    wider = log_odds(read([squashed(square[middle], None) for square in squares]))
    narrower = log_odds(read([squashed(square[:, middle], None) for square in squares]))
    return (wider - narrower) / (2.0 * np.log(_SIDE / _STRETCHED))


def correlations(films: list[Film], slopes: np.ndarray) -> Iterator[str]:
    """Yields the correlations of log odds and shape as Markdown, a line a class.

    Args:
        films: N.
        slopes: [N], see `stretch_slopes`.
    """
    yield "| | films | r | 95 %, patients resampled | of it the stretch |"
    yield "|---|---|---|---|---|"
    for label, name in enumerate(CLASSES):
        rows = [row for row, film in enumerate(films) if film.label == label]
        of_class = [films[row] for row in rows]
        ratios = np.array([film.ratio for film in of_class])
        odds = np.array([film.odds for film in of_class])
        patients = np.array([film.patient for film in of_class])
        found = with_intervals({"ratio": ratios}, odds, patients, _BOOTSTRAP)["ratio"]
        low, high = found.interval
        stretch = _r_of_line(ratios, odds, slopes[rows].mean()) if rows else np.nan
        yield (
            f"| {name} | {len(of_class)} | {found.r:+.3f} | {low:+.3f} to {high:+.3f} "
            f"| {stretch:+.3f} |"
        )


def _r_of_line(ratios: np.ndarray, odds: np.ndarray, slope: float) -> float:
    """Returns what odds have of their r with ratios if they are a line in their logs and a rest.

    The rest is taken to have no trend.
    """
    covariance = slope * np.cov(np.log(ratios), ratios, bias=True)[0, 1]
    return float(covariance / (ratios.std() * odds.std()))


def in_one_shape(films: list[Film], read: Read, threshold: float) -> Iterator[str]:
    """Yields what a net knows of films of given shapes as Markdown, a line of SHAPES each.

    Args:
        films: N.
        read: asks the net.
        threshold: of the net.
    """
    labels = np.array([film.label for film in films])
    yield "| width over height | AUC | recall | specificity |"
    yield "|---|---|---|---|"
    alone = roc_auc_score(labels, [film.ratio for film in films])
    yield f"| by itself, no film read | {alone:.4f} | | |"
    for name, ratios in SHAPES.items():
        scores = read([squashed(film.native, ratios[film.label]) for film in films])
        values = binary_metrics(labels, scores, threshold).values
        yield f"| {name} | {values['auc']:.4f} | {values['recall']:.3f} | " + (
            f"{values['specificity']:.3f} |"
        )


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of cxr run on squashed films")
    parser.add_argument("--native", type=Path, required=True, help="folder of the native films")
    options = parser.parse_args()
    films = read_films(options.run, options.native)
    if not films:
        parser.error(f"{options.native} holds no film of the run's test split")
    model = LocalModel(Path(newest_model(options.run)))

    def read(shown: list[np.ndarray]) -> np.ndarray:
        return np.array([model.ask(encode_png(film)).probability for film in shown])

    print("\n".join(correlations(films, stretch_slopes(films, read))), end="\n\n")
    threshold = model.ask(encode_png(films[0].native)).threshold
    print("\n".join(in_one_shape(films, read, threshold)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
