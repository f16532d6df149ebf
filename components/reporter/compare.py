"""Puts several runs side by side on one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from components.reporter.content import (
    MISSING,
    Content,
    finite,
    format_estimate,
    format_interval,
    format_number,
)
from components.reporter.figures import comparison
from components.reporter.films import FilmsCompared, compare_films
from components.reporter.render import fill
from components.reporter.tables import engineering, verdict
from components.reporter.tables.table import Badge, Table
from components.shared.result import Verdict
from components.shared.statistics import paired
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.metrics import METRICS

Row = Sequence[str | Badge]
_BOOTSTRAP = Bootstrap(2000, seed=1)
_STRESS = {
    "mean": "Balanced accuracy on changed films, mean",
    "lowest": "Balanced accuracy on changed films, lowest",
}


def compare(folders: Sequence[Path], runs: Sequence[Content]) -> str:
    """Returns the page.

    Args:
        folders: of the runs, which name them.
        runs: two at least; the first is the one that the others are compared with.
    """
    names = run_names(folders)
    films = [compare_films(run, runs[0]) for run in runs[1:]]
    return fill(
        "comparison.html",
        {
            "notice": runs[0].metrics["notice"],
            "names": names,
            "films": list(zip(names[1:], films, strict=True)),
            "all_same": all(compared.same for compared in films),
            "results": _results(names, runs),
            "gate": _gate(names, runs),
            "data": _data(names, runs),
            "settings": _settings(names, runs),
            "rocs": Markup(comparison.rocs(names, runs)),
            "transfers": Markup(comparison.transfers(names, runs)),
            "differences": _differences(names, runs, films),
            "resamples": _BOOTSTRAP.resamples,
        },
    )


def run_names(folders: Sequence[Path]) -> list[str]:
    """Returns a name for each run: its folder's, or the whole path where two are called alike."""
    short = [folder.name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings as `section.key`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _results(names: Sequence[str], runs: Sequence[Content]) -> Table:
    rows: list[Row] = [("Threshold", *(format_number(run.result.threshold, 4) for run in runs))]
    for name, metric in METRICS.items():
        rows.append((metric.title, *(_estimate(run, name) for run in runs)))
    for name, title in _STRESS.items():
        stressed = [run.result.stress[run.result.split] for run in runs]
        rows.append((title, *(format_number(getattr(found, name)) for found in stressed)))
    rows.append(("TN, FP, FN, TP", *(_matrix(run) for run in runs)))
    header = ("Metric", *names)
    caption = "Each at its own threshold; in brackets the 95 % interval, patients resampled"
    return Table(caption, header, rows, range(1, len(header)))


def _estimate(run: Content, name: str) -> str:
    return format_estimate(run.result.value(name), run.result.interval(name))


def _matrix(run: Content) -> str:
    counts = run.result.confusion_matrix
    return f"{counts.tn}, {counts.fp}, {counts.fn}, {counts.tp}"


def _gate(names: Sequence[str], runs: Sequence[Content]) -> Table:
    verdicts = [verdict.judge(run) for run in runs]
    rows: list[Row] = [("Verdict", *(Badge(found.title, found.tone) for found in verdicts))]
    bounds = [run.result.gate for run in runs]
    for bound in dict.fromkeys(name for found in bounds for name in found):
        cells = [_bound(bound, found.get(bound)) for found in bounds]
        rows.append((verdict.bound_title(bound), *cells))
    return Table("The gate", ("Bound", *names), rows)


def _bound(name: str, found: Verdict | None) -> str | Badge:
    if not found:
        return "not set"
    text = f"{'passed' if found.passed else 'failed'}: must {verdict.must(name, found)}"
    return Badge(text, "good" if found.passed else "bad")


def _data(names: Sequence[str], runs: Sequence[Content]) -> Table:
    rows: list[Row] = [
        (
            "Measured on",
            *(
                f"{run.result.split}, {len(run.measured)} films, "
                f"{sum(int(row['label']) for row in run.measured)} with pneumonia"
                for run in runs
            ),
        ),
        ("Data fingerprint", *(run.metrics.get("data_fingerprint") or MISSING for run in runs)),
        ("Code version", *(engineering.code_version(run.metrics) for run in runs)),
    ]
    return Table("What was measured, by which code", ("Fact", *names), rows)


def _settings(names: Sequence[str], runs: Sequence[Content]) -> Table:
    flat = [flatten(run.config) for run in runs]
    rows = [
        (key, *(_setting(settings, key) for settings in flat))
        for key in dict.fromkeys(key for settings in flat for key in settings)
        if len({_setting(settings, key) for settings in flat}) > 1
    ]
    return Table("Settings that differ", ("Setting", *names), rows)


def _setting(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return MISSING
    value = settings[key]
    return "null" if value is None else str(value)


def _differences(
    names: Sequence[str], runs: Sequence[Content], films: Sequence[FilmsCompared]
) -> Table:
    rows = [
        (
            f"{name}: {METRICS[metric].short_title}",
            f"{found.value:+.3f}",
            format_interval(found.interval),
        )
        for name, run, compared in zip(names[1:], runs[1:], films, strict=True)
        if compared.same
        for metric, found in _paired(run, runs[0]).items()
        if finite(found.value) is not None
    ]
    caption = f"Difference from {names[0]}, on the same films"
    return Table(caption, ("Run and metric", "Difference", "95 % interval"), rows, (1, 2))


def _paired(run: Content, reference: Content) -> dict[str, paired.Difference]:
    scored = {row["file_name"]: row["probability"] for row in run.measured}
    labels, expected = reference.labels_and_scores()
    scores = np.asarray([scored[row["file_name"]] for row in reference.measured], float)
    return paired.differences(
        labels,
        [row["patient"] for row in reference.measured],
        paired.Reading(scores, run.result.threshold),
        paired.Reading(expected, reference.result.threshold),
        _BOOTSTRAP,
    )
