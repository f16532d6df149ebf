"""What YoudenEvaluator writes into result.json, metrics.json carries and the report reads.

A number that is undefined, a ratio of nothing to nothing, is NaN here and null in the files.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from typing_extensions import Self

from components.shared.errors import InputError
from components.shared.statistics.metrics import METRICS

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
Interval = tuple[Number, Number]
# The gate's bounds on how many films and patients of each class a model was measured on.
COUNTED = FILMS, PATIENTS = "films", "patients"


class Record(BaseModel):
    """Takes no unknown key and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(Record):
    """Metrics, one number each under the names of `METRICS`, not nested in the files.

    Attributes:
        intervals: 95 % percentiles of some of them, patients resampled.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number]

    intervals: dict[str, Interval] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := self.values.keys() - METRICS.keys():
            raise ValueError(f"{', '.join(sorted(unknown))}: no such metric")
        return self

    @property
    def values(self) -> dict[str, float]:
        """The metrics by name."""
        return self.__pydantic_extra__

    def fields(self) -> dict[str, Any]:
        """Returns what it is made of, to make of it a record that has more."""
        return {**self.values, **{name: getattr(self, name) for name in type(self).model_fields}}

    def value(self, name: str) -> float:
        """Returns a metric; NaN where it was not measured."""
        return self.values.get(name, math.nan)

    def interval(self, name: str) -> Interval:
        """Returns the interval of a metric; NaN where it has none."""
        return self.intervals.get(name, (math.nan, math.nan))


class ConfusionMatrix(Record):
    """Films by label and call: true and false, negative and positive."""

    tn: int
    fp: int
    fn: int
    tp: int


class Decided(Measured):
    """The metrics of a rule with its decisions."""

    confusion_matrix: ConfusionMatrix


class Youden(Record):
    """How the threshold was chosen on eval.

    Attributes:
        sensitivity: on eval.
        specificity: on eval.
        j: sensitivity + specificity - 1.
        lowest: the threshold may go down to just above this score and decide the same.
        highest: it may go up to this score and decide the same.
        rule: `calibrated` or `maximum`, see `components/evaluator/threshold.py`.
        highest_j: that any threshold has on eval.
    """

    sensitivity: float
    specificity: float
    j: float
    lowest: float
    highest: float
    rule: str
    highest_j: float


class Champion(Decided):
    """The version that was served, on the same films at its own threshold."""

    version: str
    threshold: float


class Verdict(Record):
    """One bound of the gate, and whether the model keeps it.

    Attributes:
        value: a metric, how many films or patients there are, or how far a metric is above the
            champion's; NaN where there is none.
        bound: the lowest that may be, or the highest of a metric that is better low; None of what
            is no matter of numbers.
        passed: the whole interval of the value keeps the bound; of a difference, its interval
            reaches the bound.
        interval: 95 % percentiles; None where only the value counts.
        why: what else is to say.
    """

    value: Number
    bound: float | None
    passed: bool
    interval: Interval | None = None
    why: str = ""


class Estimate(Record):
    """A number and its 95 % interval, patients resampled."""

    value: Number
    interval: Interval


class Curve(Record):
    """A curve's pointwise 95 % band."""

    low: list[Number]
    high: list[Number]


class RocCurve(Curve):
    """True positive rate over false positive rate."""

    false_positive_rate: list[float]
    true_positive_rate: list[Number]


class PrecisionRecallCurve(Curve):
    """Precision over recall."""

    recall: list[float]
    precision: list[Number]


class Curves(Record):
    """Both curves on even grids."""

    roc: RocCurve
    precision_recall: PrecisionRecallCurve


class OperatingPoint(Record):
    """A threshold that was chosen on eval by another rule.

    Attributes:
        rule: in words.
        threshold: of the rule.
        eval: recall and specificity.
        test: all metrics.
        intervals: of recall and specificity on test.
    """

    rule: str
    threshold: float
    eval: Measured
    test: Decided
    intervals: dict[str, Interval]


class ReliabilityBin(Record):
    """Films whose probabilities are alike, and the share of pneumonias among them."""

    low: float
    high: float
    films: int
    mean_probability: float
    observed: float
    interval: Interval


class Calibration(Record):
    """Whether the probabilities are what they say, see `components/evaluator/calibration.py`."""

    brier: Number
    ece: Number
    slope: Number
    intercept: Number
    ece_bins: int
    bins: list[ReliabilityBin]
    intervals: dict[str, Interval]


class PredictiveValues(Record):
    """What a call is worth at a prevalence."""

    prevalence: float
    ppv: Number
    npv: Number
    ppv_interval: Interval
    npv_interval: Interval


class DecisionCurve(Record):
    """Net benefit over the threshold probability, of the model and of treating all."""

    threshold_probability: list[float]
    model: list[Number]
    all: list[Number]


class TransferPoint(Record):
    """Youden's J of one threshold on eval and on test."""

    threshold: Number
    eval_j: Number
    test_j: Number


class Transfer(Record):
    """Youden's J over the threshold; `points` are `chosen`, `half` and `oracle`."""

    thresholds: list[float]
    eval: list[Number]
    test: list[Number]
    points: dict[str, TransferPoint]


class Slice(Decided):
    """The metrics of some of the films."""

    films: int
    patients: int


class Control(Record):
    """How far one gets without the lungs; `direction` says which values speak for pneumonia."""

    auc: Number
    interval: Interval
    direction: str | None = None


class Correlation(Record):
    """Pearson's coefficient and its interval."""

    r: Number
    interval: Interval


class Change(Measured):
    """The metrics on films that were changed in one way."""

    kind: str
    strength: str

    @property
    def name(self) -> str:
        """Kind and strength."""
        return f"{self.kind} {self.strength}".rstrip()


class Stress(Record):
    """Changed films of one split; `lowest` and `mean` are of the balanced accuracy."""

    films: int
    patients: int
    unchanged: Measured
    changes: list[Change]
    lowest: Number
    mean: Number


class Misread(Record):
    """A film that the rule decides wrongly, and its picture in the evaluation's folder."""

    kind: str
    file_name: str
    patient: str
    label: int
    probability: float
    picture: str
    heatmap: list[list[float]] | None


class Result(Decided):
    """An evaluation: the test split's metrics at the top, and one key a topic.

    Attributes:
        split: that the metrics are of.
        threshold: of the rule `probability >= threshold`, a float32 value.
        youden: how it was chosen; None where none separates the classes, and 0.5 stands for it.
        eval: the metrics of eval at the threshold.
        bootstrap_resamples: of which the intervals are made.
        wilson: intervals of recall and specificity that take films as independent.
        points_on_test: {kind: {wanted value: what the other rate is there}}.
        operating_points: other thresholds, by name.
        slices: {kind: {slice: its metrics}}.
        correlations: {class: {feature: with the log odds}}.
        stressed_balanced_accuracy: the lowest on changed films of test.
        stress: changed films, by split.
        errors: the surest misreadings.
        overlap: {`patients` or `images`: {pair of splits: how many both hold}}.
        champion: None where there is none to compare with.
        champion_lost: why the version that was to be compared with was not; empty otherwise.
        gate: a verdict for each bound.
    """

    split: str
    threshold: float
    youden: Youden | None
    eval: Decided
    bootstrap_resamples: int
    wilson: dict[str, Interval]
    curves: Curves
    points_on_test: dict[str, dict[str, Estimate]]
    operating_points: dict[str, OperatingPoint]
    calibration: Calibration
    prevalence: list[PredictiveValues]
    decision_curve: DecisionCurve
    threshold_transfer: Transfer
    slices: dict[str, dict[str, Slice]]
    controls: dict[str, Control]
    correlations: dict[str, dict[str, Correlation]]
    stressed_balanced_accuracy: Number
    stress: dict[str, Stress]
    errors: list[Misread]
    overlap: dict[str, dict[str, int]]
    champion: Champion | None
    champion_lost: str
    gate: dict[str, Verdict]

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any]) -> Self:
        """Reads what is the evaluator's in the content of metrics.json.

        Raises:
            InputError: it is not what this version writes.
        """
        own = cls.model_fields.keys() | METRICS.keys()
        try:
            return cls.model_validate({key: value for key, value in metrics.items() if key in own})
        except ValidationError as error:
            raise InputError(
                "The evaluation is damaged, or another version of this project wrote it (at "
                f"{'.'.join(map(str, error.errors()[0]['loc']))}): run with another --output."
            ) from error

    @property
    def failed(self) -> dict[str, Verdict]:
        """The bounds that the model does not keep."""
        return {name: verdict for name, verdict in self.gate.items() if not verdict.passed}

    @property
    def blessed(self) -> bool:
        """Whether it keeps all."""
        return not self.failed
