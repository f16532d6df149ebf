"""The report says what the run found, to whoever opens the file, without asking the network."""

import functools
import math
import re
from collections import Counter
from typing import Any

import matplotlib
import pytest

from components.reporter.content import (
    Content,
    format_interval,
    format_number,
    format_pair,
    format_seconds,
)
from components.reporter.figures import discrimination, training
from components.reporter.render import render
from components.reporter.tables.verdict import judge
from components.shared.result import Result
from support.report_content import TEST_METRICS, Page, content, metrics

DASH = "\N{EN DASH}"


def page(**changes: Any) -> Page:
    return Page(render(content(**changes))) if changes else _unchanged_page()


@functools.cache
def _unchanged_page() -> Page:
    return Page(render(content()))


def test_headline_numbers_come_with_interval_and_with_what_they_were_measured_on() -> None:
    text = page().text
    assert "8 films of 4 patients, the test split" in text
    assert "AUC 0.938 0.813 to 0.987" in text
    assert "Sensitivity 0.750 0.250 to 1.000" in text
    assert f"F1 0.750 {DASH}" in text
    assert "2000 resamples of the patients" in text
    assert "4 of the 8 films show pneumonia" in text


@pytest.mark.parametrize(
    ("rule", "how"),
    [
        ({"rule": "calibrated"}, "is highest by an estimate from all films of the eval split: "),
        ({"rule": "maximum"}, "is highest on the films of the eval split: "),
    ],
)
def test_threshold_says_how_it_was_chosen(rule: dict[str, str], how: str) -> None:
    text = page(metrics=metrics(youden={**metrics()["youden"], **rule})).text
    assert "Threshold 0.500" in text
    assert how in text
    assert "sensitivity 0.857, specificity 0.833, J 0.690" in text
    assert "above 0.431 and up to 0.569" in text


def test_confusion_matrix_is_told_in_words() -> None:
    changed = metrics(confusion_matrix={"tn": 50, "fp": 10, "fn": 4, "tp": 36})
    text = page(metrics=changed).text
    assert "36 of 40 pneumonias found, 4 missed" in text
    assert "50 of 60 normals cleared, 10 called pneumonia" in text


def test_notice_is_shown() -> None:
    assert metrics()["notice"] in page().text


@pytest.mark.parametrize(("backbone", "warned"), [("none", True), ("imagenet", False)])
def test_random_weights_are_called_a_demonstration(backbone: str, warned: bool) -> None:
    text = page(metrics=metrics(backbone=backbone)).text
    assert ("It is not a detector." in text) == warned


def test_pushed_verdict_names_version_and_place() -> None:
    verdict = judge(content())
    assert verdict.tone == "good"
    assert verdict.title == "Pushed as version 1700000001"
    assert "It lies in /served/pneumonia/1700000001." in verdict.reasons
    assert "Pushed as version 1700000001" in page().text


def test_the_gate_says_what_decided() -> None:
    gate = {
        "auc": {"value": 0.95, "bound": 0.9, "passed": True, "interval": [0.91, 0.98]},
        "recall": {"value": 0.93, "bound": 0.9, "passed": False, "interval": [0.89996, 0.95]},
        "films": {"value": 1.0, "bound": 30.0, "passed": False},
        "patients": {"value": 41.0, "bound": 30.0, "passed": True},
    }
    refused = metrics(gate=gate, pushed=False)
    assert judge(content(metrics=refused)).reasons[:2] == [
        "Sensitivity (recall) is 0.930 (0.89996 to 0.950); it must be at least 0.90000 with all of "
        "its interval.",
        "Number of test films of the smaller class is 1; it must be at least 30.",
    ]
    shown = page(metrics=refused)
    assert shown.row("AUC", "0.950 (0.910 to 0.980)") == [
        "be at least 0.900 with all of its interval",
        "passed",
    ]
    assert shown.row("Number of test patients of the smaller class", "41") == [
        "be at least 30",
        "passed",
    ]


def test_gate_verdict_names_each_failed_bound_and_the_version_that_stays() -> None:
    gate = {
        "auc": {"value": 0.95, "bound": 0.9, "passed": True},
        "recall": {"value": 0.89996, "bound": 0.9, "passed": False},
        "champion_auc": {"value": None, "bound": -0.01, "passed": False, "interval": [None, None]},
        "champion_balanced_accuracy": {
            "value": -0.0312,
            "bound": -0.01,
            "passed": False,
            "interval": [-0.0504, -0.0104],
        },
    }
    refused = metrics(
        gate=gate,
        pushed=False,
        champion={**TEST_METRICS, "version": "1600000000", "threshold": 0.41},
        serving_check={"refused": "the gate refused the model"},
    )
    verdict = judge(content(metrics=refused))
    assert verdict.tone == "bad"
    assert verdict.title == "Refused by the gate: not pushed"
    assert verdict.reasons == [
        "Sensitivity (recall) is 0.89996; it must be at least 0.90000.",
        "AUC less the champion's is undefined; it must reach -0.010 with its interval.",
        "Balanced accuracy less the champion's is -0.031 (-0.050 to -0.0104); it must reach "
        "-0.0100 with its interval.",
        "Version 1600000000 stays the served one.",
    ]
    shown = page(metrics=refused)
    assert verdict.title in shown.text
    assert shown.row("Sensitivity (recall)", "0.89996") == ["be at least 0.90000", "failed"]
    assert shown.row("AUC", "0.950") == ["be at least 0.900", "passed"]
    assert shown.row("Balanced accuracy less the champion's") == [
        "-0.031 (-0.050 to -0.0104)",
        "reach -0.0100 with its interval",
        "failed",
    ]


def test_a_bound_on_a_metric_that_is_better_low_says_at_most() -> None:
    gate = {"brier": {"value": 0.12, "bound": 0.1, "passed": False}}
    found = judge(content(metrics=metrics(gate=gate, pushed=False)))
    assert found.reasons == ["Brier score is 0.120; it must be at most 0.100."]


def test_a_model_that_learned_nothing_is_told_so() -> None:
    gate = {
        "threshold": {
            "value": None,
            "bound": None,
            "passed": False,
            "why": "none was found on eval: all 24 scores are 0.5.",
        }
    }
    refused = metrics(gate=gate, pushed=False, youden=None)
    assert judge(content(metrics=refused)).reasons == [
        "Threshold: none was found on eval: all 24 scores are 0.5."
    ]
    shown = page(metrics=refused)
    assert shown.row("Threshold", DASH) == ["be found", "failed"]
    assert "No threshold was found on eval" in shown.text


@pytest.mark.parametrize("pushed", [True, False])
def test_a_champion_that_is_gone_is_told_of(pushed: bool) -> None:
    lost = metrics(champion_lost="it cannot be loaded (OSError: no such file)", pushed=pushed)
    told = "It was compared with no champion: it cannot be loaded (OSError: no such file)."
    assert told in judge(content(metrics=lost)).reasons
    text = page(metrics=lost).text
    assert text.count(told) == 2
    assert "There was no champion" not in text


def test_serving_check_verdict_says_why() -> None:
    refused = metrics(pushed=False, serving_check={"refused": "it did not answer within 900 s"})
    text = page(metrics=refused).text
    assert "Refused by the serving check: not pushed" in text
    assert "it did not answer within 900 s." in text


def test_model_that_nobody_refused_is_still_not_called_pushed() -> None:
    assert judge(content(metrics=metrics(pushed=False, serving_check=None))).title == "Not pushed"


def test_champion_is_set_beside_the_model() -> None:
    champion = {**TEST_METRICS, "version": "1600000000", "threshold": 0.4125, "auc": 0.8642}
    shown = page(metrics=metrics(champion=champion))
    assert "The champion is version 1600000000" in shown.text
    assert "own threshold, 0.412" in shown.text
    assert shown.row("AUC", "0.938", "0.813 to 0.987") == [DASH, "0.911", "0.864"]


def test_tables_hold_the_results() -> None:
    shown = page()
    assert shown.row("AUC", "0.938", "0.813 to 0.987") == [DASH, "0.911"]
    assert shown.row("Precision") == ["0.750", DASH, DASH, DASH]
    assert shown.row("virus") == ["6", "4", "0.875", "0.500", "0.750"]
    assert shown.row("train, NORMAL") == ["41", "0", "0", "2"]
    assert shown.row("val, PNEUMONIA") == ["0", "0", "0", "1"]
    assert shown.row("all") == ["87", "0", "0", "3"]
    assert shown.row("Films through the frozen net") == ["9902"]
    assert shown.row("The epochs") == ["1 min 01 s"]
    assert shown.row("Largest difference from the evaluator's probability") == ["1.2e-07"]
    assert shown.row("tfx") == ["1.16.0"]
    kept = "epoch 1, the one of the highest eval AUC, of 3 epochs, counted from 0"
    assert f"The weights are those of {kept}; its eval AUC is 0.911." in shown.text
    last = Page(render(content(config={"trainer": {"keep": "last"}})))
    assert "epoch 2, the last, of 3 epochs, counted from 0; its eval AUC is 0.900." in last.text
    assert "trainer: epochs: 3 backbone: imagenet" in shown.text


def test_cached_nodes_are_marked() -> None:
    shown = page(metrics=metrics(cached=["Trainer", "Transform"]))
    assert shown.row("Trainer", "2 min 05 s") == ["cached"]
    assert shown.row("Transform") == [DASH, "cached"]
    assert shown.row("Pusher", "0.3 s") == ["run"]


def test_a_runner_without_metadata_leaves_times_and_executions_unknown() -> None:
    shown = page(metrics=metrics(timings=None, cached=None), lineage=[])
    assert "The times of the nodes are not known: the runner has no ML Metadata" in shown.text
    assert "The executions are not known: the runner has no ML Metadata" in shown.text


def test_lineage_names_execution_and_artifact_of_every_output() -> None:
    shown = page()
    assert shown.row("Trainer", "17") == ["CACHED", "model", "23", "gs://bucket/Trainer/model/17"]
    assert shown.row("Pusher", "18") == ["COMPLETE", DASH, DASH, DASH]


def test_long_quarantine_is_cut_and_says_so() -> None:
    files = [(f"train/{number:03d}.jpeg", "cut off") for number in range(203)]
    shown = page(quarantine=files)
    assert shown.row("train/199.jpeg") == ["cut off"]
    assert "train/200.jpeg" not in shown.text
    assert "3 more are in quarantine.csv." in shown.text
    assert "quarantine.csv" not in page(quarantine=files[:200]).text


def test_file_names_and_reasons_are_not_interpreted() -> None:
    name, reason = "<script>alert(1)</script>.jpeg", '"><img src=http://evil.example/x>'
    lineage = [{**content().lineage[0], "node": "<b>Trainer</b>"}]
    html = render(
        content(
            quarantine=[(name, reason)],
            lineage=lineage,
            config={"note": "</pre><script>"},
            metrics=metrics(
                pushed=False, serving_check={"refused": "<i>x</i>"}, notice="</p><script>"
            ),
        )
    )
    shown = Page(html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.jpeg" in html
    assert not {"script", "i"} & set(shown.tags)
    assert shown.row(name) == [reason]
    assert "<b>Trainer</b>" in shown.text


def test_page_asks_the_network_for_nothing() -> None:
    shown = page()
    assert not {"script", "iframe", "object", "embed", "base"} & set(shown.tags)
    assert not [name for _, name, _ in shown.attributes if name.startswith("on")]
    inside = ("#", "data:")
    for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
        assert all(value.startswith(inside) for value in shown.values(name)), name
    elsewhere = [value for _, name, value in shown.attributes if not name.startswith("xmlns")]
    for text in (*elsewhere, *shown.styles):
        assert not re.search(r"@import|https?:", text)
        places = re.findall(r"""url\(\s*["']?([^)]*)""", text)
        assert all(place.startswith(inside) for place in places)


def test_page_is_well_formed_and_names_what_it_shows() -> None:
    shown = page()
    assert not shown.open
    identifiers = Counter(shown.values("id"))
    assert max(identifiers.values()) == 1
    assert set(shown.values("aria-labelledby")) <= set(identifiers)
    assert {v[1:] for v in shown.values("href") if v.startswith("#")} <= set(identifiers)
    named = [value for tag, name, value in shown.attributes if (tag, name) == ("svg", "aria-label")]
    assert shown.tags["svg"] == len(list(filter(None, named))) == 10
    assert shown.tags["th"] == len(shown.values("scope"))
    assert shown.values("scope").count("row") == len(shown.rows) - shown.tags["table"]
    assert shown.tags["caption"] == shown.tags["table"]


def test_same_content_gives_the_same_bytes() -> None:
    first = render(content())
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert render(content()) == first


def test_run_of_which_little_is_known_still_gives_a_page() -> None:
    known = Result.of_metrics(metrics()).model_dump()
    text = Page(render(Content({"notice": "", **known}, [], [], [], {}, []))).text
    assert "Not pushed" in text
    assert "No file was put aside." in text


def test_empty_history_has_no_curves_and_no_best_epoch() -> None:
    text = page(history=[]).text
    assert "no epoch is on record" in text
    assert "The weights are those" not in text


def test_history_with_gaps_is_drawn() -> None:
    gaps: list[Any] = [{"epoch": 0, "loss": None, "eval_loss": math.nan, "eval_auc": None}]
    assert f"train loss {DASH}" in training.learning(content(history=gaps))


def test_figures_are_computed_from_the_measured_split() -> None:
    # In the order of the scores: 3 pneumonias, a normal, a pneumonia: (1 + 1 + 1 + 4/5) / 4.
    assert "average precision 0.950" in discrimination.precision_recall(content())
    assert ">AUC 0.938<" in discrimination.roc(content())
    assert ">threshold 0.500<" in discrimination.roc(content())
    assert "of 4 normal films and 4 pneumonias" in discrimination.histogram(content())
    assert ">75.0 % of 4<" in discrimination.confusion(content())


def test_operating_point_is_where_the_metrics_say() -> None:
    svg = discrimination.roc(content(metrics=metrics(recall=0.8, specificity=0.7)))
    point = re.search(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: #c2501a', svg)
    across = re.findall(r'text-anchor: middle[^>]* x="([\d.]+)"[^>]*>([\d.]+)<', svg)
    ticks = {text: float(place) for place, text in across}
    assert point
    share = (float(point[1]) - ticks["0.0"]) / (ticks["1.0"] - ticks["0.0"])
    assert share == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_curves_but_a_histogram(label: int) -> None:
    one = content(predictions=[row for row in content().predictions if row["label"] == label])
    assert "it needs films of both classes" in discrimination.roc(one)
    assert "it needs films of both classes" in discrimination.precision_recall(one)
    assert ">4 films: " in discrimination.histogram(one)
    assert "No ROC curve" in Page(render(one)).text


def test_figures_do_without_metrics() -> None:
    odd = content(metrics=metrics(recall=None, specificity=None, precision=None, auc=None))
    for draw in (
        discrimination.roc,
        discrimination.precision_recall,
        discrimination.histogram,
        discrimination.confusion,
    ):
        assert draw(odd).startswith("<svg ")


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.12345, "0.123"), (1, "1.000"), (None, DASH), (math.nan, DASH), (math.inf, DASH)],
)
def test_format_number(value: float | None, written: str) -> None:
    assert format_number(value) == written


@pytest.mark.parametrize(
    ("bounds", "written"),
    [
        ([0.1, 0.98765], "0.100 to 0.988"),
        ([math.nan, 1.0], DASH),
        ([None, None], DASH),
        (None, DASH),
    ],
)
def test_format_interval(bounds: list[float | None] | None, written: str) -> None:
    assert format_interval(bounds) == written


@pytest.mark.parametrize(
    ("pair", "written"),
    [
        ((0.5, 0.6), ("0.500", "0.600")),
        ((0.89996, 0.9), ("0.89996", "0.90000")),
        ((0.9, 0.9), ("0.900", "0.900")),
        ((None, 0.9), (DASH, "0.900")),
        ((None, None), (DASH, DASH)),
    ],
)
def test_format_pair(pair: tuple[float | None, float | None], written: tuple[str, str]) -> None:
    assert format_pair(*pair) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (4.24, "4.2 s"),
        (59.97, "1 min 00 s"),
        (125.2, "2 min 05 s"),
        (3599.8, "1 h 00 min"),
        (7650, "2 h 07 min"),
        (None, DASH),
    ],
)
def test_format_seconds(seconds: float | None, written: str) -> None:
    assert format_seconds(seconds) == written
