"""Net benefit of treating by the model (Vickers & Elkin 2006, Med Decis Making 26:565-574)."""

import numpy as np

from components.shared.result import DecisionCurve
from components.shared.statistics.bootstrap import Sample

# A child is treated from this probability of pneumonia on.
THRESHOLDS = np.arange(5, 61) / 100


def decision_curve(sample: Sample) -> DecisionCurve:
    """Returns the net benefit at each threshold probability p_t: TP/N - FP/N * p_t / (1 - p_t).

    Its unit is true positives a film: a false alarm costs as much of one as the threshold
    probability says. It depends on the share of pneumonia in the split and on the calibration.

    Returns:
        `threshold_probability`, `model` (treat where the probability reaches the threshold) and
        `all` (treat every child); to treat none has the net benefit 0.
    """
    labels = sample.labels.astype(bool)
    treated = sample.scores.astype(np.float32) >= THRESHOLDS.astype(np.float32)[:, np.newaxis]
    odds = THRESHOLDS / (1.0 - THRESHOLDS)
    prevalence = labels.mean()
    model = (treated & labels).mean(axis=1) - (treated & ~labels).mean(axis=1) * odds
    return DecisionCurve(
        threshold_probability=THRESHOLDS.tolist(),
        model=model.tolist(),
        all=(prevalence - (1.0 - prevalence) * odds).tolist(),
    )
