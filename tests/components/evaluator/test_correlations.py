import math

import cv2
import numpy as np
import pytest
from scipy import stats

from components.evaluator.correlations import correlations, pearson, sharpness
from components.evaluator.predictions import Predictions
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.tally import log_odds
from support.films import tiny_film


def films(number: int = 120) -> Predictions:
    rng = np.random.default_rng(1)
    labels = np.arange(number) % 2
    return Predictions(
        file_names=[f"film{film:03d}" for film in range(number)],
        patients=[f"patient{film // 4}" for film in range(number)],
        labels=labels,
        subtypes=["unknown"] * number,
        widths=rng.integers(100, 200, number),
        heights=rng.integers(100, 200, number),
        means=rng.random(number),
        sizes=rng.integers(1000, 2000, number),
        sharpness=rng.random(number) * 20,
        scores=(rng.random(number) * 0.6 + labels * 0.35).astype(np.float32),
    )


def test_each_feature_within_each_class_as_scipy_has_it() -> None:
    split = films()
    found = correlations(split, Bootstrap(300, seed=1))
    assert list(found) == ["NORMAL", "PNEUMONIA"]
    for label, name in enumerate(found):
        rows = split.labels == label
        odds = log_odds(split.scores[rows])
        features = {
            "aspect_ratio": split.widths / split.heights,
            "file_size": split.sizes,
            "mean_brightness": split.means,
            "sharpness": split.sharpness,
        }
        assert list(found[name]) == list(features)
        for feature, values in features.items():
            measured = found[name][feature]
            assert measured.r == pytest.approx(stats.pearsonr(values[rows], odds).statistic)
            low, high = measured.interval
            assert low < measured.r < high


def test_a_feature_that_the_score_follows_has_a_correlation_of_one() -> None:
    split = films()
    split = split._replace(sharpness=3.0 - 2.0 * log_odds(split.scores))
    found = correlations(split, Bootstrap(100, seed=1))["NORMAL"]["sharpness"]
    assert found.r == pytest.approx(-1.0)
    assert found.interval == pytest.approx([-1.0, -1.0])


def test_films_that_are_all_alike_have_none() -> None:
    split = films()._replace(widths=np.full(120, 224), heights=np.full(120, 224))
    found = correlations(split, Bootstrap(100, seed=1))["PNEUMONIA"]["aspect_ratio"]
    assert math.isnan(found.r)
    assert np.isnan(found.interval).all()


def test_a_class_without_films_has_none() -> None:
    split = films()
    found = correlations(split.rows(split.labels == 0), Bootstrap(100, seed=1))["PNEUMONIA"]
    assert math.isnan(found["file_size"].r)
    assert np.isnan(found["file_size"].interval).all()


def test_a_weight_is_a_pair_that_counts_so_often() -> None:
    rng = np.random.default_rng(2)
    # Far from zero, where squares lose digits.
    first, second = 1e6 + rng.random(30), rng.random(30)
    weights = rng.integers(0, 4, (5, 30))
    for row, value in zip(weights, pearson(first, second, weights), strict=True):
        expected = stats.pearsonr(np.repeat(first, row), np.repeat(second, row)).statistic
        assert value == pytest.approx(expected, rel=1e-6)


def test_sharpness_is_of_the_film_at_one_size() -> None:
    film = cv2.GaussianBlur(tiny_film(1, height=224, width=300), (0, 0), 2)
    expected = cv2.Laplacian(film, cv2.CV_64F).std()
    assert sharpness(film) == pytest.approx(expected)
    # Three times as many pixels of the same film are as sharp.
    larger = cv2.resize(film, (900, 672), interpolation=cv2.INTER_CUBIC)
    assert sharpness(larger) == pytest.approx(expected, rel=0.1)
    # Of a finer film the mean of the pixels counts that become one.
    grains = np.random.default_rng(1).integers(0, 256, (672, 672)).astype(np.uint8)
    means = grains.reshape(224, 3, 224, 3).mean(axis=(1, 3))
    coarse = cv2.Laplacian(np.rint(means).astype(np.uint8), cv2.CV_64F).std()
    assert sharpness(grains) == pytest.approx(coarse, rel=1e-3)
    assert sharpness(cv2.GaussianBlur(film, (0, 0), 3)) < 0.5 * expected
    assert sharpness(np.full((50, 60), 128, np.uint8)) == 0.0
