"""Calibration, predictive values and net benefit in numbers."""

from collections.abc import Sequence

from components.reporter.content import format_interval, format_number, format_percent
from components.reporter.tables.table import Table
from components.shared.result import PredictiveValues, ReliabilityBin, Result
from components.shared.statistics.metrics import METRICS


def measures(result: Result) -> Table:
    """Returns the measures of calibration with the value that each should have."""
    found = result.calibration
    ece = f"Expected calibration error, {found.ece_bins} equal bins"
    measured = (
        (METRICS["brier"].title, found.brier, result.interval("brier"), "0"),
        (ece, found.ece, found.intervals["ece"], "0"),
        ("Slope", found.slope, found.intervals["slope"], "1"),
        ("Intercept", found.intercept, found.intervals["intercept"], "0"),
    )
    rows = [
        (title, format_number(value), format_interval(interval), ideal)
        for title, value, interval, ideal in measured
    ]
    header = ("Measure", "Value", "95 % interval", "Perfect")
    return Table("Calibration", header, rows, (1, 2, 3))


def bins(found: Sequence[ReliabilityBin]) -> Table:
    """Returns the points of the reliability diagram."""
    rows = [
        (
            f"{one.low:.1f} to {one.high:.1f}",
            str(one.films),
            format_number(one.mean_probability),
            format_number(one.observed),
            format_interval(one.interval),
        )
        for one in found
    ]
    header = ("Bin", "Films", "Mean probability", "Share with pneumonia", "Wilson interval")
    return Table("The bins that hold films", header, rows, range(1, 5))


def predictive_values(found: Sequence[PredictiveValues]) -> Table:
    """Returns PPV and NPV for a choice of prevalences."""
    rows = [
        (
            format_percent(row.prevalence),
            format_number(row.ppv),
            format_interval(row.ppv_interval),
            format_number(row.npv),
            format_interval(row.npv_interval),
        )
        for row in found
    ]
    header = ("Prevalence", "PPV", "95 % interval", "NPV", "95 % interval")
    return Table("Predictive values at the threshold", header, rows, range(1, 5))
