"""Puts a run's results into one HTML page that needs nothing else: no network, no script."""

from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from components.reporter import checklist, gallery
from components.reporter.content import MISSING, Content, format_number
from components.reporter.figures import calibration as calibration_figures
from components.reporter.figures import discrimination, training
from components.reporter.figures import stress as stress_figures
from components.reporter.figures import transfer as transfer_figures
from components.reporter.tables import (
    calibration,
    data,
    engineering,
    headline,
    metrics,
    slices,
    stress,
    transfer,
    verdict,
)
from components.shared.features import TEST
from components.shared.result import DecisionCurve, Result, Stress, Transfer

_RANDOM_BACKBONE = "none"


def render(content: Content) -> str:
    """Returns the report as one self-contained HTML page.

    Args:
        content: the results; texts in it (file names, reasons) are shown, never interpreted.

    Returns:
        The page; the same content gives the same bytes.
    """
    return fill("report.html", _page(content))


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """Returns a template with its variables, which are shown, never interpreted."""
    environment = Environment(
        loader=PackageLoader("components.reporter"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(variables)


def _page(content: Content) -> dict[str, Any]:
    """Returns the template's variables, section by section."""
    run, result = content.metrics, content.result
    return {
        "notice": run["notice"],
        "backbone": run.get("backbone") or MISSING,
        "random_backbone": run.get("backbone") == _RANDOM_BACKBONE,
        "measured": headline.measured(content),
        **_first_screen(content),
        **_discrimination(content),
        "calibration": _calibration(result),
        "prevalence": _prevalence(content),
        "benefit": _benefit(result.decision_curve),
        "transfer": _transfer(result.threshold_transfer),
        "slices": slices.slices(result.slices),
        "stress": _stress(result.stress),
        "correlations": stress.correlations(result.correlations),
        **_data(content),
        "errors": gallery.errors(content),
        **_card(content),
        **_engineering(content),
    }


def _first_screen(content: Content) -> dict[str, Any]:
    result = content.result
    return {
        "verdict": verdict.judge(content),
        "headlines": headline.headlines(result),
        "threshold": format_number(result.threshold),
        "operating_point": headline.operating_point(result),
        "matrix": result.confusion_matrix,
        "gate": verdict.gate_table(result),
        "bounds_kept": len(result.gate) - len(result.failed),
        "bounds": len(result.gate),
    }


def _discrimination(content: Content) -> dict[str, Any]:
    result = content.result
    return {
        "champion": result.champion,
        "champion_threshold": format_number(result.champion.threshold if result.champion else None),
        "champion_lost": verdict.champion_lost(result),
        "metrics": metrics.all_metrics(result),
        "operating_points": metrics.operating_points(result),
        "points_on_test": metrics.points_on_test(result),
        "figures": [
            (Markup(discrimination.roc(content)), "ROC curve"),
            (Markup(discrimination.precision_recall(content)), "Precision and recall"),
            (Markup(discrimination.confusion(content)), "Confusion matrix"),
            (Markup(discrimination.histogram(content)), "Probabilities by class"),
        ],
    }


def _calibration(result: Result) -> dict[str, Any]:
    bins = result.calibration.bins
    return {
        "figure": Markup(calibration_figures.reliability(bins)),
        "measures": calibration.measures(result),
        "bins": calibration.bins(bins),
    }


def _prevalence(content: Content) -> dict[str, Any]:
    rows = content.result.prevalence
    labels, _ = content.labels_and_scores()
    share = float(labels.mean()) if labels.size else None
    return {
        "figure": Markup(calibration_figures.predictive_values(rows, share)),
        "table": calibration.predictive_values(rows),
    }


def _benefit(curve: DecisionCurve) -> dict[str, Any]:
    better, of = calibration_figures.best_by_net_benefit(curve)
    figure = Markup(calibration_figures.net_benefit(curve))
    return {"figure": figure, "better": better, "of": of}


def _transfer(found: Transfer) -> dict[str, Any]:
    return {
        "figure": Markup(transfer_figures.transfer(found)),
        "table": transfer.transfer(found),
        "loss": transfer.loss(found),
    }


def _stress(found: Mapping[str, Stress]) -> dict[str, Any]:
    return {
        "summary": stress.summary(found),
        "figure": Markup(stress_figures.stress(found[TEST], TEST)),
        "tables": [stress.changed(of, split) for split, of in found.items()],
    }


def _data(content: Content) -> dict[str, Any]:
    return {
        "data": data.counts(content.metrics),
        "left_out": data.left_out(content.metrics),
        "overlap": data.overlap(content.result.overlap),
        "controls": data.controls(content.result),
        "quarantine": data.quarantine(content.quarantine),
        "quarantine_left_out": max(0, len(content.quarantine) - data.QUARANTINE_ROWS),
    }


def _card(content: Content) -> dict[str, Any]:
    return {
        "fingerprint": content.metrics.get("data_fingerprint") or MISSING,
        "code_version": engineering.code_version(content.metrics),
        "checklist": checklist.items(content),
        "not_answered": checklist.NOT_ANSWERED,
    }


def _engineering(content: Content) -> dict[str, Any]:
    found = content.metrics
    return {
        "learning": Markup(training.learning(content)),
        "epochs": len(content.history),
        "kept_epoch": engineering.kept_epoch(content),
        "cost": engineering.cost(found),
        "serving": engineering.serving(found),
        "timings": engineering.timings(found),
        "config": yaml.safe_dump(dict(content.config), sort_keys=False, allow_unicode=True),
        "lineage": engineering.lineage(content.lineage),
        "versions": engineering.versions(found),
    }
