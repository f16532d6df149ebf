"""A topic is ticked where the run answers it, and only there."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.reporter.checklist import NOT_ANSWERED, items
from components.reporter.content import Content
from components.reporter.render import render
from support.report_content import Page, a_slice, content, metrics


def unanswered(found: Content) -> set[str]:
    return {item.topic for item in items(found) if not item.answered}


def test_full_run_answers_all() -> None:
    assert unanswered(content()) == set()


@pytest.mark.parametrize(
    ("changes", "topic"),
    [
        ({"counts": {}}, "Numbers of films"),
        (
            {
                "overlap": {
                    "patients": {"train/eval": 0, "train/test": 1},
                    "images": {"train/eval": 0, "train/test": 0},
                }
            },
            "Splits,",
        ),
        ({"youden": None}, "A threshold that was fixed"),
        ({"intervals": {"auc": [0.8, 0.9], "recall": [0.8, 0.9]}}, "Discrimination"),
        ({"calibration": {**metrics()["calibration"], "bins": []}}, "Calibration"),
        ({"calibration": {**metrics()["calibration"], "slope": None}}, "Calibration"),
        ({"slices": {"image_size": {"small": a_slice(1, 1, auc=0.5)}}}, "Results in subgroups"),
        ({"controls": {}}, "Robustness"),
        ({"stress": {}}, "Robustness"),
        ({"versions": {}}, "Software"),
        ({"code_version": {"package": "0.1.0"}}, "Which code"),
        ({"data_fingerprint": None}, "Which data"),
        ({"backbone": None}, "The net,"),
        ({"pushed": False}, "Where the model is"),
        ({"model_path": None}, "Where the model is"),
    ],
)
def test_what_is_missing_is_not_ticked(changes: Mapping[str, Any], topic: str) -> None:
    (missing,) = unanswered(content(metrics=metrics(**changes)))
    assert missing.startswith(topic)


@pytest.mark.parametrize(
    ("section", "topic"),
    [("example_gen", "How the imbalance"), ("transform", "Preprocessing"), ("trainer", "The net,")],
)
def test_settings_that_are_missing_answer_nothing(section: str, topic: str) -> None:
    config = {name: kept for name, kept in content().config.items() if name != section}
    (missing,) = unanswered(content(config=config))
    assert missing.startswith(topic)


def test_films_without_heat_maps_answer_the_failures_only() -> None:
    wrong = [{**error, "heatmap": None} for error in metrics()["errors"]]
    (missing,) = unanswered(content(metrics=metrics(errors=wrong)))
    assert missing.startswith("Explainability")


def test_page_ticks_and_links_each_topic() -> None:
    shown = Page(render(content(history=[])))
    total = len(items(content()))
    assert f"this run answers {total - 1} of {total}." in shown.text
    topic = "How training went, and which weights were kept"
    assert shown.row(topic) == ["CLAIM", "not answered", "Training"]
    assert shown.row("Preprocessing") == ["CLAIM", "✓ answered", "Configuration"]
    identifiers = shown.values("id")
    assert {item.anchor for item in items(content())} <= set(identifiers)
    for topic in NOT_ANSWERED:
        assert topic[1:] in shown.text


def test_run_without_failures_answers_for_them() -> None:
    (missing,) = unanswered(content(metrics=metrics(errors=[])))
    assert missing.startswith("Explainability")
