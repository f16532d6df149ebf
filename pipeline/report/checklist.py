"""Which topics of the reporting guidelines this run answers, and where on the page.

CLAIM (2024 update) and TRIPOD+AI (2024) ask for far more than a pipeline knows. What it knows is
ticked only where the run brought it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.report.content import Content, finite

CLAIM, TRIPOD, BOTH = "CLAIM", "TRIPOD+AI", "CLAIM, TRIPOD+AI"
_SPLIT_PAIRS = 3

NOT_ANSWERED = (
    "the clinical question, the study's protocol and its registration",
    "where, when and of whom the films were taken; who was eligible; age, sex and origin",
    "how the labels were made, by whom, and how far readers agreed",
    "how the films were de-identified; ethics approval and consent",
    "why the number of films is enough",
    "testing at another hospital, and against readers",
    "whether the heat maps are valid explanations",
    "fairness between groups of people, of whom the files say nothing",
    "involvement of patients, funding and conflicts of interest",
    "what the results mean for care",
)


class Item(NamedTuple):
    """A topic of the guidelines.

    Attributes:
        source: which of them ask for it.
        topic: what they ask for.
        answered: whether this run answers it.
        anchor: the section of the page.
        section: that section's name.
    """

    source: str
    topic: str
    answered: bool
    anchor: str
    section: str


def items(content: Content) -> list[Item]:
    """Returns the topics that a pipeline can answer, each with whether this run does."""
    return [*_methods(content), *_results(content), *_openness(content)]


def _methods(content: Content) -> list[Item]:
    metrics, config = content.metrics, content.config
    youden, backbone = metrics.get("youden") or {}, metrics.get("backbone")
    return [
        Item(
            BOTH,
            "Numbers of films, and what became of those left out",
            bool((metrics.get("counts") or {}).get("kept")),
            "data",
            "Data",
        ),
        Item(
            BOTH,
            "Splits, disjoint at the level of the patient",
            _disjoint(metrics.get("overlap") or {}),
            "data",
            "Data",
        ),
        Item(CLAIM, "Preprocessing", bool(config.get("transform")), "config", "Configuration"),
        Item(
            TRIPOD,
            "How the imbalance of the classes was handled",
            "undersampling" in (config.get("example_gen") or {}),
            "config",
            "Configuration",
        ),
        Item(
            CLAIM,
            "The net, its first weights and its hyperparameters",
            bool(backbone and config.get("trainer")),
            "training",
            "Training",
        ),
        Item(
            CLAIM,
            "How training went, and which weights were kept",
            any(finite(row.get("eval_auc")) is not None for row in content.history),
            "training",
            "Training",
        ),
        Item(
            BOTH,
            "A threshold that was fixed before the test split was read",
            finite(youden.get("threshold")) is not None,
            "headline",
            "How well it reads",
        ),
    ]


def _results(content: Content) -> list[Item]:
    metrics = content.metrics
    intervals, calibration = metrics.get("intervals") or {}, metrics.get("calibration") or {}
    slices = (metrics.get("slices") or {}).values()
    return [
        Item(
            BOTH,
            "Discrimination with its uncertainty: AUC, sensitivity and specificity with intervals",
            all(_known(intervals.get(name)) for name in ("auc", "recall", "specificity")),
            "metrics",
            "Metrics and champion",
        ),
        Item(
            TRIPOD,
            "Calibration: a plot, slope and intercept",
            bool(calibration.get("bins"))
            and all(finite(calibration.get(key)) is not None for key in ("slope", "intercept")),
            "calibration",
            "Calibration",
        ),
        Item(
            TRIPOD,
            "Clinical utility: net benefit",
            bool((metrics.get("decision_curve") or {}).get("model")),
            "benefit",
            "Net benefit",
        ),
        Item(
            BOTH,
            "Results in subgroups of films, with intervals",
            any(
                _known((found.get("intervals") or {}).get(name))
                for cohorts in slices
                for found in cohorts.values()
                for name in ("auc", "recall", "specificity")
            ),
            "slices",
            "Slices",
        ),
        Item(
            CLAIM,
            "Robustness: whether the threshold holds on other films, and what is shortcut",
            bool(metrics.get("threshold_transfer")) and bool(metrics.get("controls")),
            "transfer",
            "Threshold transfer",
        ),
        Item(
            CLAIM,
            "Explainability: heat maps are shown",
            any(error.get("heatmap") for error in metrics.get("errors") or ()),
            "errors",
            "Errors",
        ),
        Item(
            CLAIM,
            "Failure analysis: the films that were read wrong",
            bool(metrics.get("errors")),
            "errors",
            "Errors",
        ),
    ]


def _openness(content: Content) -> list[Item]:
    metrics = content.metrics
    return [
        Item(
            BOTH,
            "Intended use and limits",
            bool(metrics.get("notice")),
            "card",
            "Model card",
        ),
        Item(
            CLAIM,
            "Software with versions",
            bool(metrics.get("versions")),
            "versions",
            "Packages",
        ),
        Item(
            BOTH,
            "Which code, by its commit",
            bool((metrics.get("code_version") or {}).get("commit")),
            "card",
            "Model card",
        ),
        Item(
            BOTH,
            "Which data, by a fingerprint of the files",
            bool(metrics.get("data_fingerprint")),
            "card",
            "Model card",
        ),
        Item(
            TRIPOD,
            "Where the model is, to be used",
            bool(metrics.get("pushed") and metrics.get("model_path")),
            "verdict",
            "Verdict",
        ),
    ]


def _disjoint(overlap: Mapping[str, Mapping[str, int]]) -> bool:
    patients = overlap.get("patients") or {}
    return len(patients) == _SPLIT_PAIRS and not any(patients.values())


def _known(bounds: Sequence[float | None] | None) -> bool:
    return len([bound for bound in bounds or () if finite(bound) is not None]) == 2
