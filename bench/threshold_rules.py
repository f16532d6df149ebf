"""Which rule for the threshold travels: found on some films, held against others.

    python -m bench.threshold_rules RUN [RUN ...]

Each RUN is a run folder of `cxr run` on a data set that `bench.holdout` made: its eval and test
splits are films that the net has not been trained on. All rules estimate where sensitivity +
specificity - 1 is highest. Two tables: found on eval and held against the block that is test; and
found on a random half of the patients of both, and held against the other half, again and again.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from bench.runs import predictions
from components.evaluator.threshold import calibrated_threshold, empirical_maximum
from components.shared.statistics.tally import log_odds

_RESAMPLES = 200
_HALVINGS = 50


class Scores(NamedTuple):
    """The predictions of one split.

    Attributes:
        labels: bool [N].
        logits: [N], log odds of pneumonia.
        patients: N keys.
    """

    labels: np.ndarray
    logits: np.ndarray
    patients: np.ndarray


Rule = Callable[[Scores], float]


def sensitivity_specificity(scores: Scores, threshold: float) -> tuple[float, float]:
    """Returns both for the rule `logit >= threshold`."""
    called = scores.logits >= threshold
    return float(called[scores.labels].mean()), float((~called[~scores.labels]).mean())


def argmax(scores: Scores) -> float:
    """The middle of the most sensitive interval of the highest J."""
    return float(log_odds(empirical_maximum(scores.labels, expit(scores.logits)).threshold))


def plateau(scores: Scores, errors: float) -> float:
    """The middle, in log odds, of where J is within some standard errors of its highest value."""
    cuts = np.unique(scores.logits)
    pairs = np.array([sensitivity_specificity(scores, cut) for cut in cuts])
    j = pairs.sum(axis=1) - 1
    best = int(np.argmax(j))
    sides = (scores.labels.sum(), (~scores.labels).sum())
    variance = sum(p * (1 - p) / n for p, n in zip(pairs[best], sides, strict=True))
    near = np.flatnonzero(j >= j[best] - errors * np.sqrt(variance) - 1e-12)
    low = cuts[near[0] - 1] if near[0] else cuts[0]
    return float((low + cuts[near[-1]]) / 2)


def bootstrap_median(scores: Scores) -> float:
    """The median of the argmax over resamples of the patients."""
    rng = np.random.default_rng(1)
    _, patient_of = np.unique(scores.patients, return_inverse=True)
    rows_of = [np.flatnonzero(patient_of == patient) for patient in range(patient_of.max() + 1)]
    found = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([rows_of[p] for p in rng.integers(0, len(rows_of), len(rows_of))])
        found.append(argmax(Scores(*(column[rows] for column in scores))))
    return float(np.median(found))


def kernel(scores: Scores) -> float:
    """The argmax of J where both classes' log odds are smoothed by Gaussian kernels."""
    grid = np.linspace(scores.logits.min(), scores.logits.max(), 2001)
    shares = []
    for side in (scores.labels, ~scores.labels):
        values = scores.logits[side]
        spread = min(values.std(), np.subtract(*np.percentile(values, [75, 25])) / 1.34)
        width = 0.9 * spread * len(values) ** -0.2  # Silverman's rule
        shares.append(norm.cdf((grid[:, None] - values) / width).mean(axis=1))
    return float(grid[np.argmax(shares[1] - shares[0])])


def binormal(scores: Scores) -> float:
    """Where two normal densities, fitted to the classes' log odds, cross between their means."""
    sides = (scores.logits[~scores.labels], scores.logits[scores.labels])
    means, widths = [side.mean() for side in sides], [side.std() for side in sides]
    return float(
        brentq(
            lambda x: norm.logpdf(x, means[1], widths[1]) - norm.logpdf(x, means[0], widths[0]),
            *means,
        )
    )


def platt(scores: Scores) -> float:
    """Where a logistic regression on the log odds, both classes weighing alike, gives a half."""
    return float(log_odds(calibrated_threshold(scores.labels, expit(scores.logits))))


RULES: Mapping[str, Rule] = {
    "argmax of J": argmax,
    "plateau of 0.5 errors": lambda scores: plateau(scores, 0.5),
    "plateau of 1 error": lambda scores: plateau(scores, 1.0),
    "plateau of 2 errors": lambda scores: plateau(scores, 2.0),
    "bootstrap median": bootstrap_median,
    "kernel": kernel,
    "binormal": binormal,
    "Platt": platt,
    "one half": lambda scores: 0.0,
}


def read_scores(run: Path, split: str) -> Scores:
    """Reads a run's predictions of a split."""
    rows = predictions(run, split)
    return Scores(
        np.array([row["label"] == "1" for row in rows]),
        log_odds(np.array([float(row["probability"]) for row in rows])),
        np.array([row["patient"] for row in rows]),
    )


def held_against(scores: Scores, threshold: float) -> list[float]:
    """Returns probability of the threshold, sensitivity, specificity, accuracy, J and J lost.

    Lost is how far J is below the highest that any threshold has on these films.
    """
    pair = sensitivity_specificity(scores, threshold)
    accuracy = float(((scores.logits >= threshold) == scores.labels).mean())
    best = empirical_maximum(scores.labels, expit(scores.logits)).j
    return [float(expit(threshold)), *pair, accuracy, sum(pair) - 1, best - (sum(pair) - 1)]


def halves(scores: Scores, number: int) -> tuple[Scores, Scores]:
    """Returns the films of a random half of the patients of each class, and the others'."""
    patients = np.unique(np.char.add(scores.patients, np.where(scores.labels, "/1", "/0")))
    chosen = np.random.default_rng(number).permutation(patients)[::2]
    keys = np.char.add(scores.patients, np.where(scores.labels, "/1", "/0"))
    rows = np.isin(keys, chosen)
    return Scores(*(c[rows] for c in scores)), Scores(*(c[~rows] for c in scores))


def main() -> int:
    """Prints the two tables: means over the runs, and over runs and halvings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    runs = [
        [read_scores(run, split) for split in ("eval", "test")] for run in parser.parse_args().runs
    ]
    _print("eval to block", runs)
    both = [Scores(*map(np.concatenate, zip(*pair, strict=True))) for pair in runs]
    _print("half to half", [halves(films, number) for films in both for number in range(_HALVINGS)])
    return 0


def _print(title: str, pairs: Sequence[Sequence[Scores]]) -> None:
    names = ("threshold", "sens", "spec", "acc", "J", "J lost", "worst J")
    print(f"{title:24}" + "".join(f"{name:>10}" for name in names))
    for name, rule in RULES.items():
        rows = np.array([held_against(held, rule(chosen)) for chosen, held in pairs])
        values = [*rows.mean(axis=0), rows[:, 4].min()]
        print(f"{name:24}" + "".join(f"{value:10.4f}" for value in values))


if __name__ == "__main__":
    sys.exit(main())
