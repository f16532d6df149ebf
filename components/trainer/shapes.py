"""Films made square by squashing: how to keep a net from telling classes by their shape.

Normal films of the public set are about 1.2 times as wide as high, pneumonias 1.5. In squares that
becomes a stretch of the child, which tells the classes apart as long as films are made as those
were, and no longer. If what is cut out of a film in training is wider or narrower by just so much
that the classes are alike on average, there is nothing left to learn from it.
"""

import numpy as np


def evening(labels: np.ndarray, squashed: np.ndarray) -> np.ndarray:
    """Returns the log of how many times wider than otherwise a film's cut-outs are to be.

    Args:
        labels: int [N].
        squashed: float [N], how many times more a film was shrunk in width than in height.

    Returns:
        float32 [N], one value a class: the mean of the classes' mean logs less its own, so that
        cut-outs of all classes, made square again, were shrunk alike on average (geometric mean).
    """
    logs = np.log(squashed)
    means = np.zeros(len(labels))
    classes = np.unique(labels)
    for label in classes:
        means[labels == label] = logs[labels == label].mean()
    middle = np.mean([means[labels == label][0] for label in classes])
    return (middle - means).astype(np.float32)
