"""Calibration, predictive values and net benefit in numbers."""

from collections.abc import Mapping
from typing import Any

from components.reporter.content import format_interval, format_number, format_percent
from components.reporter.tables.table import Table


def measures(metrics: Mapping[str, Any]) -> Table:
    """Returns the measures of calibration with the value that each should have."""
    found = metrics["calibration"]
    intervals = {
        **(found.get("intervals") or {}),
        "brier": (metrics.get("intervals") or {}).get("brier"),
    }
    titles = {
        "brier": ("Brier score", "0"),
        "ece": (f"Expected calibration error, {found.get('ece_bins')} equal bins", "0"),
        "slope": ("Slope", "1"),
        "intercept": ("Intercept", "0"),
    }
    rows = [
        (title, format_number(found.get(key)), format_interval(intervals.get(key)), ideal)
        for key, (title, ideal) in titles.items()
    ]
    header = ("Measure", "Value", "95 % interval", "Perfect")
    return Table("Calibration", header, rows, (1, 2, 3))


def bins(calibration: Mapping[str, Any]) -> Table:
    """Returns the points of the reliability diagram."""
    rows = [
        (
            f"{found['low']:.1f} to {found['high']:.1f}",
            str(found["films"]),
            format_number(found["mean_probability"]),
            format_number(found["observed"]),
            format_interval(found["interval"]),
        )
        for found in calibration["bins"]
    ]
    header = ("Bin", "Films", "Mean probability", "Share with pneumonia", "Wilson interval")
    return Table("The bins that hold films", header, rows, range(1, 5))


def predictive_values(metrics: Mapping[str, Any]) -> Table:
    """Returns PPV and NPV for a choice of prevalences."""
    rows = [
        (
            format_percent(found["prevalence"]),
            format_number(found["ppv"]),
            format_interval(found.get("ppv_interval")),
            format_number(found["npv"]),
            format_interval(found.get("npv_interval")),
        )
        for found in metrics["prevalence"]
    ]
    header = ("Prevalence", "PPV", "95 % interval", "NPV", "95 % interval")
    return Table("Predictive values at the threshold", header, rows, range(1, 5))
