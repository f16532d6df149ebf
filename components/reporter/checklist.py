"""Which topics of the reporting guidelines this run answers, and where on the page.

CLAIM (2024 update) and TRIPOD+AI (2024) ask for far more than a pipeline knows. What it knows is
ticked only where the run brought it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from components.reporter.content import Content, finite

CLAIM, TRIPOD, BOTH = "CLAIM", "TRIPOD+AI", "CLAIM, TRIPOD+AI"
_MEASURES = ("auc", "recall", "specificity")

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
    return [
        Item(source, topic, bool(answers(content)), anchor, _SECTIONS[anchor])
        for source, topic, answers, anchor in _TOPICS
    ]


def _counted(content: Content) -> object:
    return (content.metrics.get("counts") or {}).get("kept")


def _disjoint(content: Content) -> object:
    return not any(content.result.overlap["patients"].values())


def _preprocessing(content: Content) -> object:
    return content.config.get("transform")


def _imbalance(content: Content) -> object:
    return "undersampling" in (content.config.get("example_gen") or {})


def _net(content: Content) -> object:
    return content.metrics.get("backbone") and content.config.get("trainer")


def _training(content: Content) -> object:
    return any(finite(row.get("eval_auc")) is not None for row in content.history)


def _threshold(content: Content) -> object:
    return content.result.youden


def _discrimination(content: Content) -> object:
    return all(_known(content.result.interval(name)) for name in _MEASURES)


def _calibration(content: Content) -> object:
    found = content.result.calibration
    return _known((found.slope, found.intercept)) and found.bins


def _utility(content: Content) -> object:
    return content.result.decision_curve.model


def _subgroups(content: Content) -> object:
    slices = [found for cohorts in content.result.slices.values() for found in cohorts.values()]
    return any(_known(found.interval(name)) for found in slices for name in _MEASURES)


def _robustness(content: Content) -> object:
    result = content.result
    return result.threshold_transfer and result.controls and result.stress


def _explained(content: Content) -> object:
    return any(error.heatmap for error in content.result.errors)


def _failures(content: Content) -> object:
    return content.result.errors is not None


def _use(content: Content) -> object:
    return content.metrics.get("notice")


def _software(content: Content) -> object:
    return content.metrics.get("versions")


def _code(content: Content) -> object:
    return (content.metrics.get("code_version") or {}).get("commit")


def _data(content: Content) -> object:
    return content.metrics.get("data_fingerprint")


def _model(content: Content) -> object:
    return content.metrics.get("pushed") and content.metrics.get("model_path")


def _known(numbers: tuple[float, float]) -> bool:
    return all(map(math.isfinite, numbers))


_SECTIONS = {
    "verdict": "Verdict",
    "headline": "How well it reads",
    "metrics": "Metrics and champion",
    "calibration": "Calibration",
    "benefit": "Net benefit",
    "stress": "Stress",
    "slices": "Slices",
    "data": "Data",
    "errors": "Errors",
    "card": "Model card",
    "training": "Training",
    "config": "Configuration",
    "versions": "Packages",
}
_TOPICS: Sequence[tuple[str, str, Callable[[Content], object], str]] = (
    (BOTH, "Numbers of films, and what became of those left out", _counted, "data"),
    (BOTH, "Splits, disjoint at the level of the patient", _disjoint, "data"),
    (CLAIM, "Preprocessing", _preprocessing, "config"),
    (TRIPOD, "How the imbalance of the classes was handled", _imbalance, "config"),
    (CLAIM, "The net, its first weights and its hyperparameters", _net, "config"),
    (CLAIM, "How training went, and which weights were kept", _training, "training"),
    (BOTH, "A threshold that was fixed before the test split was read", _threshold, "headline"),
    (
        BOTH,
        "Discrimination with its uncertainty: AUC, sensitivity and specificity with intervals",
        _discrimination,
        "metrics",
    ),
    (TRIPOD, "Calibration: a plot, slope and intercept", _calibration, "calibration"),
    (TRIPOD, "Clinical utility: net benefit", _utility, "benefit"),
    (BOTH, "Results in subgroups of films, with intervals", _subgroups, "slices"),
    (
        CLAIM,
        "Robustness: whether the threshold carries over, changed films, shortcuts",
        _robustness,
        "stress",
    ),
    (CLAIM, "Explainability: heat maps are shown", _explained, "errors"),
    (CLAIM, "Failure analysis: the films that were read wrong", _failures, "errors"),
    (BOTH, "Intended use and limits", _use, "card"),
    (CLAIM, "Software with versions", _software, "versions"),
    (BOTH, "Which code, by its commit", _code, "card"),
    (BOTH, "Which data, by a fingerprint of the files", _data, "card"),
    (TRIPOD, "Where the model is, to be used", _model, "verdict"),
)
