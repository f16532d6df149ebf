"""Runs side by side: what may be compared, and what may not."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from components.reporter.compare import compare, flatten, run_names
from components.reporter.content import Content
from components.reporter.films import compare_films
from support.report_content import Page, content, metrics

FOLDERS = (Path("runs/first"), Path("runs/second"))
DASH = "\N{EN DASH}"


def other(**changes: Any) -> Content:
    """A run on the same films that calls one more normal film pneumonia."""
    predictions = [dict(row) for row in content().predictions]
    for row in predictions:
        if row["probability"] == 0.3:
            row["probability"] = 0.65
    measured = metrics(auc=0.875, specificity=0.5, threshold=0.45, data_fingerprint="c0ffee")
    fields: dict[str, Any] = {"metrics": {**measured, **changes}, "predictions": predictions}
    return content(**fields)


def page(*runs: Content) -> Page:
    return Page(compare([Path(f"runs/{number}") for number in range(len(runs))], runs))


def test_same_films_give_paired_differences() -> None:
    shown = page(content(), other())
    assert "The same 8 films. The data sets' fingerprints agree too." in shown.text
    # 15 of 16 pairs are in order in the first run. In the other, 0.65 is above the 0.4 only: two
    # of the four pairs of 0.4 are in order, 14 of 16; and of four normals two more are called.
    assert shown.row("1: AUC")[0] == "-0.062"
    # At 0.45 the miss of 0.4 stays a miss; 0.65 is called.
    assert shown.row("1: Sensitivity")[0] == "+0.000"
    assert shown.row("1: Specificity")[0] == "-0.250"
    assert "cannot be set against one another" not in shown.text


def test_changed_films_stand_side_by_side() -> None:
    found = metrics()["stress"]
    worse = {**found, "test": {**found["test"], "mean": 0.6, "lowest": None}}
    shown = page(content(), other(stress=worse))
    assert shown.row("Balanced accuracy on changed films, mean") == ["0.713", "0.600"]
    assert shown.row("Balanced accuracy on changed films, lowest") == ["0.625", DASH]


def test_order_of_the_films_does_not_matter() -> None:
    run = other()
    turned = dataclasses.replace(run, predictions=run.predictions[::-1])
    assert page(content(), turned).row("1: AUC") == page(content(), run).row("1: AUC")


def test_other_films_are_called_so_and_have_no_differences() -> None:
    rows = [{**row, "file_name": f"new-{row['file_name']}"} for row in content().predictions]
    shown = page(content(), content(predictions=rows))
    assert (
        "Not the same films: 0 are in both, 8 only in this run, 8 only in the first" in shown.text
    )
    assert "cannot be set against one another" in shown.text
    assert "No difference is computed" in shown.text


def test_relabelled_film_makes_other_films() -> None:
    rows = [dict(row) for row in content().predictions]
    rows[-1]["label"] = 1
    compared = compare_films(content(predictions=rows), content())
    assert not compared.same
    assert "8 are in both, 0 only in this run, 0 only in the first; 1 of those" in compared.told


@pytest.mark.parametrize(
    ("fingerprint", "told"),
    [("other", "fingerprints differ"), (None, "is not on record")],
)
def test_same_names_of_perhaps_other_files_are_warned_of(
    fingerprint: str | None, told: str
) -> None:
    compared = compare_films(other(data_fingerprint=fingerprint), content())
    assert compared.same
    assert told in compared.told


def test_no_films_are_not_the_same_films() -> None:
    nothing = content(predictions=[])
    assert not compare_films(nothing, nothing).same


def test_results_stand_side_by_side_with_intervals() -> None:
    shown = page(content(), other())
    assert shown.row("Threshold") == ["0.5000", "0.4500"]
    assert shown.row("AUC", "0.938 (0.813 to 0.987)") == ["0.875 (0.813 to 0.987)"]
    assert shown.row("TN, FP, FN, TP") == ["3, 1, 1, 3"] * 2
    assert shown.row("Data fingerprint") == ["c0ffee", "c0ffee"]
    assert shown.row("Code version") == ["0.1.0, commit 0123abcd"] * 2


@pytest.mark.parametrize(
    ("caption", "numbers"),
    [
        ("Each at its own threshold", [False, True, True]),
        ("Difference from first, on the same films", [False, True, True]),
        ("The gate", [False, False, False]),
    ],
)
def test_columns_of_numbers_are_set_as_such(caption: str, numbers: list[bool]) -> None:
    html = compare(FOLDERS, [content(), other()])
    table = html.split(f"<caption>{caption}")[1].split("</table>")[0]
    rows = [re.findall("<t[hd] ?([^>]*)>", row) for row in table.split("<tr>")[1:]]
    assert len(rows) > 2
    for row in rows:
        assert ['class="number"' in cell for cell in row] == numbers


def test_gates_stand_side_by_side() -> None:
    gate = {"recall": {"value": 0.75, "bound": 0.9, "passed": False}}
    shown = page(content(), other(gate=gate, pushed=False))
    assert shown.row("Verdict") == [
        "Pushed as version 1700000001",
        "Refused by the gate: not pushed",
    ]
    assert shown.row("AUC", "passed: must be at least 0.900") == ["not set"]
    assert shown.row("Sensitivity (recall)", "not set") == ["failed: must be at least 0.900"]


def test_settings_that_differ_are_listed_and_others_are_not() -> None:
    first = content(config={"seed": 1, "trainer": {"epochs": 3, "views": None}})
    second = content(config={"seed": 1, "trainer": {"epochs": 5, "views": 4}, "new": True})
    shown = page(first, second)
    assert shown.row("trainer.epochs") == ["3", "5"]
    assert shown.row("trainer.views") == ["null", "4"]
    assert shown.row("new") == [DASH, "True"]
    assert "seed" not in [row[0] for row in shown.rows]
    assert "All settings are the same." in page(first, first).text


def test_flatten() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": []}) == {"a.b.c": 1, "d": []}


def test_runs_are_named_by_folder_unless_two_are_called_alike() -> None:
    assert run_names(FOLDERS) == ["first", "second"]
    assert run_names([Path("a/run"), Path("b/run")]) == ["a/run", "b/run"]


def test_curves_lie_over_one_another() -> None:
    html = compare(FOLDERS, [content(), other()])
    assert ">first, AUC 0.938<" in html
    assert ">second, AUC 0.875<" in html
    assert "Youden&#x27;s J on test over the threshold, of first, second." in html


def test_runs_without_films_are_compared_by_what_they_have() -> None:
    bare = content(predictions=[], metrics=metrics(data_fingerprint=None))
    shown = page(bare, bare)
    assert shown.row("Data fingerprint") == [DASH, DASH]
    assert "one of the splits holds none" in shown.text
    assert "No ROC curves" in shown.text


def test_page_is_well_formed_asks_for_nothing_and_interprets_nothing() -> None:
    bad = "<script>alert(1)</script>"
    runs = [content(config={bad: bad}), other(data_fingerprint=bad)]
    html = compare([Path(bad), Path("b")], runs)
    shown = Page(html)
    assert not shown.open
    assert not {"script", "img", "iframe"} & set(shown.tags)
    assert all(value.startswith("data:") for value in shown.values("href"))
    identifiers = shown.values("id")
    assert len(identifiers) == len(set(identifiers))
    assert compare([Path(bad), Path("b")], runs) == html
