"""Which films go where: by the order of seeded hashes, so that nothing else matters.

A hash of (seed, purpose, key) orders the films. Taking the smallest is exact, and comes out the
same whatever the runner, its parallelism and the order of the files.
"""

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from components.shared.features import EVAL

K = TypeVar("K", bound=Hashable)


def rank(seed: int, purpose: str, key: str) -> int:
    """Returns the place of `key` in a seeded order, as an unsigned 64-bit number."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def choose_eval_patients(
    films: Mapping[str, int], fraction: float, seed: int, split: str = EVAL
) -> set[str]:
    """Chooses whole patients of one class until they hold `fraction` of its films.

    Args:
        films: how many films each patient has.
        fraction: share of the films that goes to the split, above 0 and below 1.
        seed: of the order in which patients are taken.
        split: that is cut, eval or test.

    Returns:
        The patients of the split: at least one, and never all.

    Raises:
        ValueError: fewer than two patients, so that no split can be made.
    """
    if len(films) < 2:
        raise ValueError(f"{len(films)} patient(s) cannot be split into train and {split}")
    order = sorted(films, key=lambda patient: (rank(seed, split, patient), patient))
    target = fraction * sum(films.values())
    chosen: set[str] = set()
    taken = 0
    for patient in order[:-1]:
        if chosen and taken >= target:
            break
        chosen.add(patient)
        taken += films[patient]
    return chosen


def films_to_keep(counts: Mapping[K, int], ratio: float | None) -> dict[K, int]:
    """Returns how many films of each class stay when the majority is undersampled.

    Args:
        counts: films per class.
        ratio: how many films of a class stay for each one of the smallest class; 1 makes them
            equal, None keeps all.

    Returns:
        Films to keep per class, rounded down.
    """
    if ratio is None:
        return dict(counts)
    limit = int(min(counts.values()) * ratio)
    return {label: min(count, limit) for label, count in counts.items()}


def smallest(keys: Iterable[str], number: int, seed: int) -> set[str]:
    """Returns the `number` keys that come first in the seeded order."""
    order: Sequence[str] = sorted(keys, key=lambda key: (rank(seed, "keep", key), key))
    return set(order[:number])
