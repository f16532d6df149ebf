"""How far one gets without the lungs: what else about a film goes with its label.

A set of films whose size or brightness tells the classes apart can be learned by that alone, and a
net's AUC is then no evidence that it looks at the lungs (Zech et al. 2018, PLoS Med 15:e1002683).
"""

import numpy as np

from components.shared.result import Control
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.tally import Tally, auc

HIGHER, LOWER = "higher", "lower"


def _auc(films: Tally) -> dict[str, np.ndarray]:
    return {"auc": auc(films)}


def auc_with_interval(sample: Sample, bootstrap: Bootstrap) -> Control:
    """Returns the AUC and its interval; of one class, NaN."""
    return Control(
        auc=float(sample.value(_auc)["auc"]), interval=bootstrap.intervals(sample, _auc)["auc"]
    )


def feature_control(sample: Sample, bootstrap: Bootstrap) -> Control:
    """Returns the AUC of a feature alone as the score, on the side that speaks for pneumonia.

    Args:
        sample: the films, with the feature as their scores.
        bootstrap: the draws.

    Returns:
        `auc`, 0.5 at least; its `interval`, on that side in every resample, so that it may reach
        below 0.5; `direction`, whether `higher` or `lower` values speak for pneumonia.
    """
    found = auc_with_interval(sample, bootstrap)
    if not found.auc < 0.5:
        return Control(auc=found.auc, interval=found.interval, direction=HIGHER)
    low, high = found.interval
    return Control(auc=1.0 - found.auc, interval=(1.0 - high, 1.0 - low), direction=LOWER)
