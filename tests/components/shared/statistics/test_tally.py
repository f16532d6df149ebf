import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)

from components.shared.statistics.tally import (
    Tally,
    auc,
    average_precision,
    brier,
    counts_at,
    ratio,
    roc,
    tally,
)


def tied_films(seed: int, number: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    return labels, np.round(rng.random(number) * 0.6 + labels * 0.3, 2).astype(np.float32)


def test_films_of_one_score_are_counted_together() -> None:
    found = tally(np.array([1, 0, 0, 1, 0]), np.array([0.5, 0.2, 0.5, 0.5, 0.9]))
    np.testing.assert_array_equal(found.scores, [0.2, 0.5, 0.9])
    np.testing.assert_array_equal(found.positives, [[0, 2, 0]])
    np.testing.assert_array_equal(found.negatives, [[1, 1, 1]])


@pytest.mark.parametrize("seed", range(5))
def test_every_measure_of_one_resample_is_scikit_learns(seed: int) -> None:
    labels, scores = tied_films(seed)
    films = tally(labels, scores)
    positives, negatives = scores[labels == 1], scores[labels == 0]
    pairs = positives.size * negatives.size
    assert auc(films)[0] == pytest.approx(mannwhitneyu(positives, negatives).statistic / pairs)
    assert auc(films)[0] == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(films)[0] == pytest.approx(average_precision_score(labels, scores))
    assert brier(films)[0] == pytest.approx(brier_score_loss(labels, scores), rel=1e-6)
    matrix = confusion_matrix(labels, scores >= np.float32(0.5)).ravel()
    assert [count[0] for count in counts_at(films, 0.5)] == matrix.tolist()
    across, up, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    points = roc(films)
    np.testing.assert_allclose(1.0 - points.specificity[0], across, atol=1e-12)
    np.testing.assert_allclose(points.sensitivity[0], up)
    np.testing.assert_allclose(points.thresholds, thresholds)


def test_a_weight_repeats_a_film() -> None:
    labels, scores = tied_films(7)
    weights = np.random.default_rng(8).integers(0, 4, (3, labels.size))
    films = tally(labels, scores, weights)
    for row, times in enumerate(weights):
        many, same = np.repeat(labels, times), np.repeat(scores, times)
        assert auc(films)[row] == pytest.approx(roc_auc_score(many, same))
        assert average_precision(films)[row] == pytest.approx(average_precision_score(many, same))
        assert brier(films)[row] == pytest.approx(brier_score_loss(many, same), rel=1e-6)


def test_the_threshold_itself_is_called_as_float32() -> None:
    # As a double, 0.1 is less than the float32 0.1 that the model holds.
    assert counts_at(tally(np.array([1]), np.array([0.1])), 0.1).tp[0] == 1


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_auc(label: int) -> None:
    films = tally(np.full(3, label), np.array([0.1, 0.2, 0.2]))
    assert np.isnan(auc(films)).all()
    assert np.isnan(average_precision(films)).all() == (label == 0)
    assert np.isfinite(brier(films)).all()


def test_constant_scores_order_nothing() -> None:
    films = tally(np.array([0, 1, 1]), np.full(3, 0.5))
    assert auc(films)[0] == 0.5
    assert average_precision(films)[0] == pytest.approx(2 / 3)


def test_nothing_by_nothing_is_not_a_number() -> None:
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])), [0.25, np.nan])


def test_no_film_at_all_is_undefined() -> None:
    films = Tally(np.array([0.5]), np.zeros((1, 1)), np.zeros((1, 1)))
    assert np.isnan(brier(films)[0])
