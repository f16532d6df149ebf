"""Whether what a model says follows what is of the film and not of the finding.

Between the classes a feature of the film may well go along with the score, since it goes along with
the label. Within one class it should not: where it does, the model reads it.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from components.evaluator.predictions import Predictions
from components.shared.features import CLASSES
from components.shared.result import Correlation
from components.shared.statistics.bootstrap import Bootstrap, percentile_interval
from components.shared.statistics.tally import log_odds

_SIDE = 224  # of the shorter side of the film on which sharpness is measured


def sharpness(film: np.ndarray) -> float:
    """Returns the standard deviation of the Laplacian, in grey levels.

    Pech-Pacheco et al. 2000 (ICPR 3:314-317), on the film at one size, so that films of different
    numbers of pixels compare.

    Args:
        film: uint8 [H, W].
    """
    scale = _SIDE / min(film.shape)
    size = tuple(max(1, round(side * scale)) for side in film.shape[::-1])
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(film, size, interpolation=way)
    return float(cv2.Laplacian(small, cv2.CV_64F).std())


def correlations(films: Predictions, bootstrap: Bootstrap) -> dict[str, dict[str, Correlation]]:
    """Returns how the log odds go along with features of the films, within each class.

    Args:
        films: of one split.
        bootstrap: the draws of patients.

    Returns:
        {class: {feature: the correlation}}; NaN where all films are
        alike in the feature or in the score.
    """
    features = {
        "aspect_ratio": films.widths / films.heights,
        "file_size": films.sizes,
        "mean_brightness": films.means,
        "sharpness": films.sharpness,
    }
    found = {}
    for label, name in enumerate(CLASSES):
        rows = films.labels == label
        found[name] = with_intervals(
            {feature: values[rows] for feature, values in features.items()},
            log_odds(films.scores[rows]),
            np.array(films.patients)[rows],
            bootstrap,
        )
    return found


def with_intervals(
    features: Mapping[str, np.ndarray], odds: np.ndarray, patients: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Correlation]:
    """Returns the correlation of each feature with the log odds.

    Args:
        features: [N] each.
        odds: [N].
        patients: [N], keys.
        bootstrap: the draws of patients.

    Returns:
        {feature: the correlation}, NaN where there is none.
    """
    once = np.ones((1, odds.size))
    # Nobody is drawn where there are no films.
    draws = bootstrap.weights(patients) if odds.size else iter([once])
    blocks = [[pearson(values, odds, weights) for values in features.values()] for weights in draws]
    drawn = np.concatenate(blocks, axis=1)
    return {
        name: Correlation(
            r=float(pearson(values, odds, once)[0]), interval=percentile_interval(resamples)
        )
        for (name, values), resamples in zip(features.items(), drawn, strict=True)
    }


def pearson(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of weighted pairs, [B]; NaN where either does not vary.

    Args:
        first: [N].
        second: [N].
        weights: [B, N], how many times each pair counts.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = weights / weights.sum(axis=1, keepdims=True)
        # Of values about zero, so that no digits are lost in the squares.
        first, second = (_standard(values) for values in (first, second))
        mean_first, mean_second = share @ first, share @ second
        covariance = share @ (first * second) - mean_first * mean_second
        variances = (share @ first**2 - mean_first**2) * (share @ second**2 - mean_second**2)
        return np.where(variances > 1e-12, covariance / np.sqrt(variances), np.nan)


def _standard(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if not values.size or values.min() == values.max():
        return np.zeros_like(values)
    return (values - values.mean()) / values.std()
