import math

import numpy as np
import pytest

from components.evaluator.gate import judge
from components.evaluator.settings import Gate
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.metrics import METRICS
from components.shared.statistics.paired import Difference, Reading, differences

GOOD = {"auc": 0.95, "recall": 0.92, "specificity": 0.80}
BOUNDS = {"auc": 0.90, "recall": 0.90, "specificity": 0.50}


def test_a_value_at_its_bound_passes() -> None:
    verdicts = judge({**GOOD, "auc": 0.90}, {}, BOUNDS, {}, 0.01)
    assert {name: verdict.passed for name, verdict in verdicts.items()} == dict.fromkeys(
        BOUNDS, True
    )


@pytest.mark.parametrize("name", BOUNDS)
def test_each_bound_refuses(name: str) -> None:
    verdicts = judge({**GOOD, name: BOUNDS[name] - 1e-6}, {}, BOUNDS, {}, 0.01)
    assert [key for key, verdict in verdicts.items() if not verdict.passed] == [name]


def test_recall_bought_with_false_alarms_is_refused() -> None:
    bought = {"auc": 0.98, "recall": 0.997, "specificity": 0.44}
    assert not judge(bought, {}, BOUNDS, {}, 0.01)["specificity"].passed
    assert set(judge(bought, {}, {**BOUNDS, "specificity": None}, {}, 0)) == {"auc", "recall"}


def test_not_a_number_passes_nothing() -> None:
    assert not judge({**GOOD, "auc": float("nan")}, {}, BOUNDS, {}, 0.01)["auc"].passed


def test_a_metric_that_is_better_low_has_a_highest_value() -> None:
    assert judge({"brier": 0.10}, {}, {"brier": 0.10}, {}, 0.01)["brier"].passed
    assert not judge({"brier": 0.11}, {}, {"brier": 0.10}, {}, 0.01)["brier"].passed


def test_the_whole_interval_has_to_keep_the_bound() -> None:
    def passed(low: float, high: float, name: str = "auc") -> bool:
        bound = BOUNDS.get(name, 0.10)
        value = (low + high) / 2
        return judge({name: value}, {name: (low, high)}, {name: bound}, {}, 0.01)[name].passed

    assert passed(0.90, 0.99)
    assert not passed(0.899, 0.999)
    assert passed(0.01, 0.10, "brier")
    assert not passed(0.01, 0.101, "brier")
    assert not passed(math.nan, math.nan)
    found = judge(GOOD, {"auc": (0.93, 0.97)}, BOUNDS, {}, 0.01)
    assert found["auc"].interval == (0.93, 0.97)
    assert found["recall"].interval is None


def test_few_films_are_no_evidence() -> None:
    # Two films read right: AUC 1, and so in all resamples.
    found = judge(
        {"auc": 1.0, "films": 1, "patients": 30},
        {"auc": (1.0, 1.0)},
        {"auc": 0.9, "films": 30, "patients": 30},
        {},
        0.01,
    )
    assert {name: verdict.passed for name, verdict in found.items()} == {
        "auc": True,
        "films": False,
        "patients": True,
    }


def test_the_settings_follow_from_the_metrics() -> None:
    bounds = Gate().model_dump()
    assert bounds.pop("stressed_balanced_accuracy") is None
    assert (bounds.pop("films"), bounds.pop("patients")) == (30, 30)
    assert bounds == {m.name: m.bound for m in METRICS.values() if m.gated}
    assert bounds == {"auc": 0.90, "recall": 0.90, "specificity": 0.50}


def test_a_model_without_a_threshold_is_refused_and_told_why() -> None:
    verdicts = judge(GOOD, {}, BOUNDS, {}, 0.01, "all 24 scores are 0.5")
    failed = [name for name, verdict in verdicts.items() if not verdict.passed]
    assert failed == ["threshold"]
    assert verdicts["threshold"].why == "none was found on eval: all 24 scores are 0.5."
    assert math.isnan(verdicts["threshold"].value)


def above(auc: tuple[float, float, float]) -> dict[str, Difference]:
    value, low, high = auc
    same = Difference(0.0, (0.0, 0.0))
    return {
        "auc": Difference(value, (low, high)),
        "recall": Difference(-0.5, (-0.6, -0.4)),
        "balanced_accuracy": same,
    }


@pytest.mark.parametrize(
    ("auc", "tolerance", "passed"),
    [
        ((-0.03, -0.05, -0.005), 0.01, True),
        # The interval ends at the tolerance, and below it.
        ((-0.03, -0.05, -0.01), 0.01, True),
        ((-0.03, -0.05, -0.011), 0.01, False),
        ((-0.03, -0.05, -0.011), 0.02, True),
        ((-0.001, -0.002, -0.0005), 0.0, False),
        ((math.nan, math.nan, math.nan), 0.01, False),
    ],
)
def test_the_champion_refuses_where_the_whole_interval_is_below(
    auc: tuple[float, float, float], tolerance: float, passed: bool
) -> None:
    verdicts = judge(GOOD, {}, {}, above(auc), tolerance)
    # Recall alone may be given for specificity.
    assert set(verdicts) == {"champion_auc", "champion_balanced_accuracy"}
    found = verdicts["champion_auc"]
    assert found.passed is passed
    np.testing.assert_equal((found.value, *(found.interval or ())), auc)
    assert found.bound == -tolerance
    assert verdicts["champion_balanced_accuracy"].passed


# 588 films, two of each patient: what a split of the public set holds.
_LABELS = np.repeat([0, 1], [196, 392])
_PATIENTS = [f"p{film // 2}" for film in range(588)]


def refused(seed: int, apart: float, tolerance: float = 0.01) -> bool:
    """Whether a model is refused whose classes lie `apart`, the champion's 3.2."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(rng.normal(0.0, 0.7, 294), 2)
    candidate, champion = (
        Reading(_LABELS * distance + patient + rng.normal(0.0, 0.7, 588), distance / 2)
        for distance in (apart, 3.2)
    )
    found = differences(_LABELS, _PATIENTS, candidate, champion, Bootstrap(200, seed=1))
    return not all(verdict.passed for verdict in judge({}, {}, {}, found, tolerance).values())


@pytest.mark.parametrize(
    ("low", "high", "passed"), [(-0.03, -0.02, True), (0.01, 0.03, True), (0.011, 0.03, False)]
)
def test_of_a_metric_that_is_better_low_the_lower_end_decides(
    low: float, high: float, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "brier", METRICS["brier"]._replace(compared=True))
    difference = Difference((low + high) / 2, (low, high))
    verdict = judge(GOOD, {}, BOUNDS, {"brier": difference}, 0.01)["champion_brier"]
    assert (verdict.passed, verdict.bound) == (passed, 0.01)


def test_an_equally_good_model_is_almost_never_refused_and_a_worse_one_is() -> None:
    equal = np.mean([refused(seed, apart=3.2) for seed in range(200)])
    assert equal <= 0.01
    worse = np.mean([refused(seed, apart=1.6) for seed in range(30)])
    assert worse == 1.0
