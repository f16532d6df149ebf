"""The metrics of a rule on films: the one list that evaluator, gate, TFMA and report go by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from components.shared.statistics.tally import (
    Counts,
    Tally,
    auc,
    average_precision,
    brier,
    counts_at,
    cross_entropy,
    ratio,
)


@dataclass(frozen=True)
class Rule:
    """The rule `score >= threshold`, compared as float32, on B resamples of films."""

    films: Tally
    threshold: float

    @cached_property
    def counts(self) -> Counts:
        """The confusion matrix of each resample."""
        return counts_at(self.films, self.threshold)


class Metric(NamedTuple):
    """What is measured of a rule.

    Attributes:
        name: in result.json and metrics.json.
        title: in the report.
        of: gives the metric of each resample, [B]; NaN where it is undefined.
        meaning: what the number says, after it; where it is one of the report's first screen.
        lower_is_better: whether a bound of the gate is the highest value that may be.
        interval: whether a 95 % interval is given.
        gated: whether the gate has a setting for it.
        bound: that setting's default; None for no bound.
        compared: whether it must not fall behind the champion's.
        tfma: the class of TFMA's metrics that measures the same.
        at_threshold: whether it is one of the decisions, so that it needs the threshold.
    """

    name: str
    title: str
    of: Callable[[Rule], np.ndarray]
    meaning: str = ""
    lower_is_better: bool = False
    interval: bool = True
    gated: bool = False
    bound: float | None = None
    compared: bool = False
    tfma: str | None = None
    at_threshold: bool = True

    @property
    def short_title(self) -> str:
        """The title where there is little room."""
        return self.title.partition(" (")[0]


def _recall(rule: Rule) -> np.ndarray:
    _, _, fn, tp = rule.counts
    return ratio(tp, tp + fn)


def _specificity(rule: Rule) -> np.ndarray:
    tn, fp, _, _ = rule.counts
    return ratio(tn, tn + fp)


def _balanced_accuracy(rule: Rule) -> np.ndarray:
    return (_recall(rule) + _specificity(rule)) / 2.0


def _precision(rule: Rule) -> np.ndarray:
    _, fp, _, tp = rule.counts
    return ratio(tp, tp + fp)


def _accuracy(rule: Rule) -> np.ndarray:
    tn, fp, fn, tp = rule.counts
    return ratio(tp + tn, tn + fp + fn + tp)


def _f1(rule: Rule) -> np.ndarray:
    _, fp, fn, tp = rule.counts
    return ratio(2 * tp, 2 * tp + fp + fn)


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "auc",
            "AUC",
            lambda rule: auc(rule.films),
            "of pairs: the pneumonia scores above the normal",
            gated=True,
            bound=0.90,
            compared=True,
            tfma="AUC",
            at_threshold=False,
        ),
        Metric(
            "recall",
            "Sensitivity (recall)",
            _recall,
            "of the pneumonias are found",
            gated=True,
            bound=0.90,
            tfma="Recall",
        ),
        Metric(
            "specificity",
            "Specificity",
            _specificity,
            "of the normals are cleared",
            gated=True,
            bound=0.50,
            tfma="Specificity",
        ),
        Metric("balanced_accuracy", "Balanced accuracy", _balanced_accuracy, compared=True),
        Metric(
            "precision",
            "Precision",
            _precision,
            "of the calls of pneumonia are right",
            tfma="Precision",
        ),
        Metric("accuracy", "Accuracy", _accuracy, "of all films are read right"),
        Metric("f1", "F1", _f1, "harmonic mean of precision and sensitivity"),
        Metric(
            "average_precision",
            "Average precision",
            lambda rule: average_precision(rule.films),
            at_threshold=False,
        ),
        Metric(
            "brier",
            "Brier score",
            lambda rule: brier(rule.films),
            lower_is_better=True,
            at_threshold=False,
        ),
        Metric(
            "loss",
            "Cross-entropy",
            lambda rule: cross_entropy(rule.films),
            lower_is_better=True,
            interval=False,
            at_threshold=False,
        ),
    )
}
RATES = ("recall", "specificity")


def measured(
    films: Tally, threshold: float, names: Iterable[str] = tuple(METRICS)
) -> dict[str, np.ndarray]:
    """Returns metrics of every resample, [B] each, NaN where undefined.

    Args:
        films: the resamples.
        threshold: of the rule `score >= threshold`.
        names: of the metrics wanted.
    """
    rule = Rule(films, threshold)
    return {name: METRICS[name].of(rule) for name in names}
