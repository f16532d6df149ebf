import pytest

from components.evaluator.gate import judge

GOOD = {"auc": 0.95, "recall": 0.92, "specificity": 0.80}
BOUNDS = {"auc": 0.90, "recall": 0.90, "specificity": 0.50}


def test_a_value_at_its_bound_passes() -> None:
    verdicts = judge({**GOOD, "auc": 0.90}, BOUNDS, None, 0.01)
    assert {name: verdict.passed for name, verdict in verdicts.items()} == dict.fromkeys(
        BOUNDS, True
    )


@pytest.mark.parametrize("name", BOUNDS)
def test_each_bound_refuses(name: str) -> None:
    verdicts = judge({**GOOD, name: BOUNDS[name] - 1e-6}, BOUNDS, None, 0.01)
    assert [key for key, verdict in verdicts.items() if not verdict.passed] == [name]


def test_recall_bought_with_false_alarms_is_refused() -> None:
    verdicts = judge({"auc": 0.98, "recall": 0.997, "specificity": 0.44}, BOUNDS, None, 0.01)
    assert not verdicts["specificity"].passed
    off = judge(
        {"auc": 0.98, "recall": 0.997, "specificity": 0.44},
        {**BOUNDS, "specificity": None},
        None,
        0,
    )
    assert set(off) == {"auc", "recall"}


def test_not_a_number_passes_nothing() -> None:
    assert not judge({**GOOD, "auc": float("nan")}, BOUNDS, None, 0.01)["auc"].passed


def test_champion() -> None:
    champion = {"auc": 0.96, "recall": 0.90, "specificity": 0.90}
    near = judge({**GOOD, "auc": 0.951, "recall": 0.92, "specificity": 0.87}, {}, champion, 0.01)
    assert near["champion_auc"].passed
    assert near["champion_auc"].bound == pytest.approx(0.95)
    assert near["champion_balanced_accuracy"].value == pytest.approx(0.895)
    assert near["champion_balanced_accuracy"].passed
    far = judge(GOOD, {}, champion, 0.001)
    assert not far["champion_auc"].passed
    assert not far["champion_balanced_accuracy"].passed
