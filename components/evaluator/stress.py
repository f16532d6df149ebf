"""What a model says of changed films, at the threshold that it has.

On films that are like those of train nearly every recipe is nearly always right, and none is told
from another. What a film would look like from another machine is another question, and there they
differ. See `changes.py` for the changes.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from components.evaluator.changes import Change
from components.shared.result import Change as Changed
from components.shared.result import Measured, Stress
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.metrics import measured

_METRICS = ("auc", "recall", "specificity", "balanced_accuracy")


def choose_films(
    patients: Sequence[str], labels: np.ndarray, films: int | None, seed: int
) -> np.ndarray:
    """Chooses whole patients at random until enough films of each class are there.

    Args:
        patients: N keys.
        labels: [N], 0 or 1.
        films: of each class, at least; None for all.
        seed: of the draw.

    Returns:
        bool [N]; of a class with fewer films all are chosen.
    """
    if films is None:
        return np.ones(labels.size, bool)
    names, patient_of = np.unique(patients, return_inverse=True)
    place = np.random.default_rng(seed).permutation(names.size)[patient_of]
    chosen = np.zeros(names.size, bool)
    for label in np.unique(labels):
        rows = labels == label
        last = np.sort(place[rows])[:films][-1]
        chosen[patient_of[rows & (place <= last)]] = True
    return chosen[patient_of]


def stress(
    unchanged: Sample,
    changed: Mapping[Change, Sample],
    threshold: float,
    bootstrap: Bootstrap,
) -> Stress:
    """Measures the rule `probability >= threshold` on changed films.

    Args:
        unchanged: the films as they are.
        changed: the same films in the same order, by what was done to them.
        threshold: of the rule, chosen on films as they are.
        bootstrap: the draws of patients, the same for every change.

    Returns:
        AUC, recall, specificity and balanced accuracy with their intervals; what is undefined is
        NaN, and so are then the lowest and the mean.
    """
    changes = [
        Changed(
            kind=change.kind,
            strength=change.strength,
            **_measure(sample, threshold, bootstrap).fields(),
        )
        for change, sample in changed.items()
    ]
    balanced = [change.value("balanced_accuracy") for change in changes]
    return Stress(
        films=unchanged.labels.size,
        patients=np.unique(unchanged.patients).size,
        unchanged=_measure(unchanged, threshold, bootstrap),
        changes=changes,
        lowest=float(np.min(balanced)),
        mean=float(np.mean(balanced)),
    )


def _measure(sample: Sample, threshold: float, bootstrap: Bootstrap) -> Measured:
    at_threshold = partial(measured, threshold=threshold, names=_METRICS)
    values = sample.value(at_threshold)
    return Measured(
        intervals=bootstrap.intervals(sample, at_threshold),
        **{name: float(value) for name, value in values.items()},
    )
