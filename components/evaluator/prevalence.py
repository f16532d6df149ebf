"""What a decision says of a child, where pneumonia is rarer or commoner than in the test split."""

import numpy as np

from components.shared.result import PredictiveValues
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.metrics import RATES, measured
from components.shared.statistics.tally import Tally, ratio

PREVALENCES = np.array([0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70])


def predictive_values(
    sensitivity: np.ndarray, specificity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positive and the negative predictive value by Bayes' theorem.

    Args:
        sensitivity: [B].
        specificity: [B].

    Returns:
        Two arrays [B, 8], at each of `PREVALENCES`; NaN where no film would be called so.
    """
    sensitivity, specificity = sensitivity[:, np.newaxis], specificity[:, np.newaxis]
    healthy = 1.0 - PREVALENCES
    found, alarms = sensitivity * PREVALENCES, (1.0 - specificity) * healthy
    missed, cleared = (1.0 - sensitivity) * PREVALENCES, specificity * healthy
    return ratio(found, found + alarms), ratio(cleared, cleared + missed)


def prevalence_table(
    sample: Sample, threshold: float, bootstrap: Bootstrap
) -> list[PredictiveValues]:
    """Returns the predictive values at each prevalence, with intervals.

    Sensitivity and specificity are taken to stay as they are on the test split, which a change in
    how ill the children are would not leave them.

    Args:
        sample: the test films.
        threshold: of the rule `score >= threshold`.
        bootstrap: the draws.

    Returns:
        A row a prevalence.
    """

    def values(films: Tally) -> dict[str, np.ndarray]:
        rates = measured(films, threshold, RATES)
        ppv, npv = predictive_values(rates["recall"], rates["specificity"])
        columns = range(PREVALENCES.size)
        return {
            **{f"ppv {column}": ppv[:, column] for column in columns},
            **{f"npv {column}": npv[:, column] for column in columns},
        }

    value, intervals = sample.value(values), bootstrap.intervals(sample, values)
    return [
        PredictiveValues(
            prevalence=float(prevalence),
            ppv=float(value[f"ppv {column}"]),
            npv=float(value[f"npv {column}"]),
            ppv_interval=intervals[f"ppv {column}"],
            npv_interval=intervals[f"npv {column}"],
        )
        for column, prevalence in enumerate(PREVALENCES)
    ]
