"""What the net is taught: normal or pneumonia, or which pneumonia.

Bacteria and virus are told apart for the sake of the features; what counts is their sum. A
pneumonia whose file name does not say which it is may be either.
"""

from collections.abc import Sequence

import keras
import numpy as np

from components.shared.features import NORMAL, UNKNOWN_SUBTYPE

LABEL_TARGET = "label"
SUBTYPE_TARGET = "subtype"


def target_classes(target: str, labels: np.ndarray, subtypes: Sequence[str]) -> list[str]:
    """Returns the names of the net's logits, one for each.

    Args:
        target: `label` or `subtype`.
        labels: int64 [N], of the train split.
        subtypes: N, of the train split.

    Returns:
        `pneumonia` alone, one logit against zero, for the label and where no pneumonia tells its
        subtype; else `normal` and the known subtypes.
    """
    known = {
        subtype
        for label, subtype in zip(labels.tolist(), subtypes, strict=True)
        if label != NORMAL and subtype != UNKNOWN_SUBTYPE
    }
    if target == LABEL_TARGET or not known:
        return ["pneumonia"]
    return ["normal", *sorted(known)]


def encode(labels: np.ndarray, subtypes: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Returns float32 [N, K]: for each film 1 for every class that it may belong to, else 0."""
    labels = np.asarray(labels)
    if len(classes) == 1:
        return labels[:, np.newaxis].astype(np.float32)
    target = np.zeros((len(labels), len(classes)), np.float32)
    target[:, 0] = labels == NORMAL
    for column, name in enumerate(classes[1:], start=1):
        target[:, column] = (labels != NORMAL) & np.isin(subtypes, [name, UNKNOWN_SUBTYPE])
    return target


def groups(target: np.ndarray) -> list[np.ndarray]:
    """Returns the rows of each group of films to balance, the normal ones first.

    Pneumonias of unknown subtype go with the largest group of a known one: few of them would fill
    a share of their own again and again.

    Args:
        target: [N, K], see `encode`.
    """
    normal = target[:, 0] == (0.0 if target.shape[1] == 1 else 1.0)
    if target.shape[1] == 1:
        return [np.flatnonzero(normal), np.flatnonzero(~normal)]
    known = target.sum(axis=1) == 1.0
    kind = target.argmax(axis=1)
    largest = np.bincount(kind[known & ~normal]).argmax()
    kind = np.where(known, kind, largest)
    return [np.flatnonzero(kind == number) for number in range(target.shape[1])]


def pneumonia_logit(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the log odds of pneumonia, [N, 1], from the net's logits, [N, K]."""
    if logits.shape[-1] == 1:
        return logits
    others = keras.ops.logsumexp(logits[:, 1:], axis=1, keepdims=True)
    return others - logits[:, :1]


def loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the cross-entropy of each film, [N].

    Of several admissible classes the probabilities are added: minus the logarithm of the sum.

    Args:
        target: float32 [N, K], see `encode`.
        logits: float32 [N, K].
    """
    if logits.shape[-1] == 1:
        return keras.losses.binary_crossentropy(target, logits, from_logits=True)
    admissible = keras.ops.where(target > 0.0, logits, -1e9)
    return keras.ops.logsumexp(logits, axis=1) - keras.ops.logsumexp(admissible, axis=1)


def accuracy(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns for each film, [N], 1 where normal and pneumonia are told apart at 0.5, else 0."""
    positive = target[:, 0] > 0.5 if logits.shape[-1] == 1 else target[:, 0] < 0.5
    return keras.ops.cast((pneumonia_logit(logits)[:, 0] > 0.0) == positive, "float32")
