"""The figures' points, worked out by hand or read back from the SVG."""

import io
import math
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sklearn_metrics

from components.reporter import curves
from components.reporter.figures import calibration, discrimination, heatmap, transfer
from components.shared.result import DecisionCurve, ReliabilityBin, TransferPoint
from components.shared.statistics.tally import auc, tally
from support.report_content import content, png

LABELS = np.array([1, 1, 0, 1, 0])
SCORES = np.array([0.9, 0.6, 0.6, 0.3, 0.1])


def test_roc_by_hand() -> None:
    # The pneumonia and the normal of 0.6 are called together: one step aslant.
    false_positive, true_positive = curves.roc(LABELS, SCORES)
    assert false_positive.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true_positive == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


def test_precision_recall_by_hand() -> None:
    recall, precision = curves.precision_recall(LABELS, SCORES)
    assert recall == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert precision == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5])


def test_auc_by_hand() -> None:
    # Pairs: 0.9 above both, 0.6 ties one and beats one, 0.3 beats one: (2 + 1.5 + 1) / 6.
    assert auc(tally(LABELS, SCORES))[0] == pytest.approx(0.75)
    # The film of 0.3 counts for nothing: (2 + 1.5) / 4.
    weights = np.array([[1, 1, 1, 0, 1], 1 - LABELS])
    weighted = auc(tally(LABELS, SCORES, weights))
    assert weighted[0] == pytest.approx(0.875)
    assert np.isnan(weighted[1])


def test_curves_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(labels, 1.0), 1)
    expected = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)[:2]
    np.testing.assert_allclose(curves.roc(labels, scores), expected)
    recall, precision = curves.precision_recall(labels, scores)
    average = float(np.diff(recall) @ precision[1:])
    assert average == pytest.approx(sklearn_metrics.average_precision_score(labels, scores))


@pytest.mark.parametrize("draw", [discrimination.roc, discrimination.precision_recall])
def test_bands_are_drawn(draw: Any) -> None:
    assert ">95 % band, pointwise<" in draw(content())


def test_reliability_points_and_their_films() -> None:
    bins = content().result.calibration.bins
    points = calibration.reliability_points(bins)
    assert points.tolist() == [[0.15, 0.75], [0.0, 0.8], [0.0, 0.3755], [0.5615, 0.9638]]
    svg = calibration.reliability(bins)
    assert "predicted 0.750, observed 0.800 of 5 films" in svg
    assert re.search(r">3</text>", svg)
    assert re.search(r">5</text>", svg)


def test_reliability_of_a_share_at_the_edge_of_its_interval() -> None:
    edge = ReliabilityBin(
        low=0.9,
        high=1.0,
        films=2,
        mean_probability=0.95,
        observed=1.0,
        interval=(0.34, 1.0 - 1e-16),
    )
    assert calibration.reliability([edge]).startswith("<svg ")
    assert calibration.reliability([]).startswith("<svg ")


def test_predictive_values_are_told() -> None:
    rows = content().result.prevalence
    svg = calibration.predictive_values(rows, 0.5)
    assert "at 20% PPV 0.429, NPV 0.923; at 50% PPV 0.750, NPV \N{EN DASH}" in svg
    assert ">in this split<" in svg
    assert ">in this split<" not in calibration.predictive_values(rows, None)


def test_net_benefit_counts_where_the_model_is_best() -> None:
    curve = DecisionCurve(threshold_probability=[0.1, 0.5], model=[math.nan, -0.1], all=[0.3, -0.2])
    assert calibration.best_by_net_benefit(curve) == (0, 2)
    # As good as calling every film, or none, is not better.
    tied = DecisionCurve(threshold_probability=[0.1, 0.5], model=[0.3, 0.0], all=[0.3, -0.2])
    assert calibration.best_by_net_benefit(tied) == (0, 2)
    found = content().result.decision_curve
    assert calibration.best_by_net_benefit(found) == (2, 3)
    assert "at 2 of 3 threshold probabilities" in calibration.net_benefit(found)


def marks(svg: str, axis: str) -> list[float]:
    """Returns where the marked points lie on the x axis, by the axis' own tick labels."""
    across = re.findall(r'text-anchor: middle[^>]* x="([\d.]+)"[^>]*>([\d.]+)<', svg)
    ticks = {text: float(place) for place, text in across}
    places = re.findall(rf'<use [^>]*x="([\d.]+)" y="[\d.]+" style="fill: {axis}', svg)
    return [(float(x) - ticks["0.0"]) / (ticks["1.0"] - ticks["0.0"]) for x in places]


def test_chosen_threshold_is_marked_where_it_is() -> None:
    svg = transfer.transfer(content().result.threshold_transfer)
    first, _ = marks(svg, "#c2501a")  # the second is the legend's
    assert first == pytest.approx(0.55, abs=1e-3)
    assert ">chosen on eval, 0.550<" in svg
    assert ">best on test, 0.350<" in svg


def test_transfer_without_an_oracle_is_drawn() -> None:
    found = content().result.threshold_transfer
    nowhere = TransferPoint(threshold=math.nan, eval_j=math.nan, test_j=math.nan)
    svg = transfer.transfer(
        found.model_copy(update={"points": {**found.points, "oracle": nowhere}})
    )
    assert "best on test, " not in svg
    assert "best on test: threshold \N{EN DASH}" in svg


def test_heat_map_is_upsampled_smoothly_and_stays_in_bounds() -> None:
    heat = np.array([[0.0, 1.0], [0.0, 1.0]])
    smooth = heatmap.upsample(heat, (40, 20))
    assert smooth.shape == (20, 40)
    assert smooth.min() >= 0
    assert smooth.max() <= 1
    assert np.abs(np.diff(smooth, axis=1)).max() < 0.1
    np.testing.assert_allclose(smooth[:, 0], 0.0, atol=0.05)
    np.testing.assert_allclose(smooth[:, -1], 1.0, atol=0.05)


def test_cold_places_show_the_film_and_hot_ones_are_covered_by_half() -> None:
    cold = Image.open(io.BytesIO(heatmap.overlay(png(grey=100), [[0.0] * 7] * 7)))
    assert cold.convert("RGB").getpixel((128, 128)) == (100, 100, 100)
    hot = Image.open(io.BytesIO(heatmap.overlay(png(grey=100), [[1.0] * 7] * 7)))
    # Inferno's brightest is (252, 255, 164): 0.45 * 100 + 0.55 of it.
    assert hot.convert("RGB").getpixel((128, 128)) == pytest.approx((184, 185, 135), abs=2)


def test_same_film_gives_the_same_bytes() -> None:
    heat = [[0.1, 0.9], [0.4, 0.2]]
    first = heatmap.overlay(png(9, 5), heat)
    assert heatmap.overlay(png(9, 5), heat) == first
