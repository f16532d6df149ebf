"""How surely a measure is known: the bootstrap over patients.

Films of one patient are alike, so that films are not independent: patients are drawn, each with all
films, as a cluster bootstrap does (Davison & Hinkley 1997, section 3.8; Field & Welsh 2007, JRSS B
69:369-390). Drawing films instead gives intervals that are too narrow.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from components.shared.statistics.tally import Tally, tally

# Weights of resamples held at a time, as films times resamples: tens of MB, whatever their number.
_BLOCK = 2**20

# From B resamples to arrays whose first axis is B.
Statistic = Callable[[Tally], Mapping[str, np.ndarray]]


class Sample(NamedTuple):
    """Scored films.

    Attributes:
        labels: [N], 0 or 1.
        scores: [N], finite.
        patients: [N], keys.
    """

    labels: np.ndarray
    scores: np.ndarray
    patients: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Sample":
        """Returns the films of an index or mask."""
        return Sample(self.labels[chosen], self.scores[chosen], self.patients[chosen])

    def value(self, statistic: Statistic) -> dict[str, np.ndarray]:
        """Returns a statistic of the films themselves, without the axis of resamples."""
        found = statistic(tally(self.labels, self.scores))
        return {name: array[0] for name, array in found.items()}


class Bootstrap(NamedTuple):
    """Resampling of patients, with replacement.

    Attributes:
        resamples: how many times as many patients are drawn as there are.
        seed: of the draws; the same patients give the same draws, whatever is computed of them.
    """

    resamples: int
    seed: int

    def distribution(self, sample: Sample, statistic: Statistic) -> dict[str, np.ndarray]:
        """Returns a statistic of every resample, arrays whose first axis is `resamples`."""
        blocks = [
            statistic(tally(sample.labels, sample.scores, weights))
            for weights in self.weights(sample.patients)
        ]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def intervals(self, sample: Sample, statistic: Statistic) -> dict[str, tuple[float, float]]:
        """Returns the 95 % percentile interval of each value of a statistic."""
        drawn = self.distribution(sample, statistic)
        return {name: percentile_interval(values) for name, values in drawn.items()}

    def weights(self, patients: np.ndarray) -> Iterator[np.ndarray]:
        """Yields how many times each film counts, [block, N], block after block.

        Args:
            patients: [N], keys, of one film at least.
        """
        names, patient_of = np.unique(patients, return_inverse=True)
        rng = np.random.default_rng(self.seed)
        size = max(1, _BLOCK // patients.size)
        for start in range(0, self.resamples, size):
            block = min(size, self.resamples - start)
            drawn = rng.integers(0, names.size, (block, names.size))
            # One bincount for all rows: each row counts in a range of numbers of its own.
            drawn += np.arange(block)[:, np.newaxis] * names.size
            times = np.bincount(drawn.ravel(), minlength=block * names.size)
            yield times.reshape(block, names.size)[:, patient_of]


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """Returns (2.5 %, 97.5 %) of the values that are numbers; of none, (NaN, NaN).

    Args:
        values: [B]; resamples in which the statistic is undefined are left out.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def percentile_band(curves: np.ndarray) -> tuple[list[float], list[float]]:
    """Returns the pointwise 95 % band of curves [B, K]: the K lower and the K upper bounds."""
    bounds = [percentile_interval(values) for values in curves.T]
    return [low for low, _ in bounds], [high for _, high in bounds]
