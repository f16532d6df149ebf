import io
from pathlib import Path
from typing import Any

from rich.console import Console

from components.shared.result import Result
from components.shared.statistics.metrics import METRICS
from pipeline.display import show_results
from support.report_content import metrics


def shown(**changes: Any) -> str:
    """What is printed at the end of a run that was refused."""
    console = Console(file=io.StringIO(), width=200)
    found = metrics(intervals={name: [0.7, 0.8] for name in METRICS}, **changes)
    # As a run writes them: with every field.
    written = {**found, **Result.of_metrics(found).model_dump(mode="json")}
    show_results(console, {**written, "pushed": False, "blessed": False}, Path("report.html"))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_a_refusal_for_the_champions_sake_tells_how_surely() -> None:
    verdict = {
        "value": -0.03,
        "bound": -0.01,
        "passed": False,
        "interval": [-0.05, -0.012],
    }
    recall = {"value": 0.92, "bound": 0.9, "passed": False, "interval": [0.88, 0.95]}
    films = {"value": 1.0, "bound": 30.0, "passed": False}
    text = shown(gate={"recall": recall, "films": films, "champion_auc": verdict})
    assert (
        "Refused by the gate (recall: the interval of 0.9200 (0.8800 to 0.9500) is not all beyond "
        "0.9000; films: 1, and 30 are needed; champion_auc: the interval of -0.0300 (-0.0500 to "
        "-0.0120) does not reach -0.0100): nothing was pushed"
    ) in text
    assert "Compared with no champion" not in text


def test_a_model_without_a_threshold_and_a_lost_champion_are_told_of() -> None:
    why = "none was found on eval: all 24 scores are 0.5."
    text = shown(
        gate={"threshold": {"value": None, "bound": None, "passed": False, "why": why}},
        youden=None,
        champion_lost="version 7: it cannot be loaded (OSError: gone)",
    )
    assert f"Refused by the gate (threshold: {why}): nothing was pushed" in text
    assert "Compared with no champion: version 7: it cannot be loaded (OSError: gone)" in text
    assert "none was found" in text


def test_films_left_out_are_told_by_reason() -> None:
    counts = {
        "kept": {"train": {"NORMAL": 4, "PNEUMONIA": 5}},
        "quarantined": {"train": {"unknown": 2}},
        "left_out": {"of an adult": 7, "uncertain": 3},
    }
    text = shown(counts=counts)
    assert "│ quarantined │ train │ 0 │ 0 │ 2 │" in text
    assert "Left out: 7 of an adult, 3 uncertain" in text
    assert "Left out" not in shown()
