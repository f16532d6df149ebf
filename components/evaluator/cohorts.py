"""Which slices a film counts in.

A subtype holds positives only, and a stream of normal films negatives only: alone, neither has an
AUC. So a subtype is judged against all normals, and a stream of normals against all pneumonias;
the other side's films count in each of the slices.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from components.shared.artifacts import FILMS_SLICE, SIZE_SLICE, STREAM_SLICE, SUBTYPE_SLICE
from components.shared.features import PNEUMONIA
from components.shared.patients import name_stream


def cohorts(
    labels: Sequence[int], subtypes: Sequence[str], patients: Sequence[str]
) -> list[dict[str, list[str]]]:
    """Returns for each film, by kind of slice, the slices that it counts in.

    Args:
        labels: 0 or 1, one a film.
        subtypes: of each film.
        patients: of each film.
    """
    films = list(zip(labels, subtypes, patients, strict=True))
    all_subtypes = sorted({subtype for label, subtype, _ in films if label == PNEUMONIA})
    all_streams = sorted({name_stream(key) for label, _, key in films if label != PNEUMONIA})
    return [
        {SUBTYPE_SLICE: [subtype], STREAM_SLICE: all_streams}
        if label == PNEUMONIA
        else {SUBTYPE_SLICE: all_subtypes, STREAM_SLICE: [name_stream(patient)]}
        for label, subtype, patient in films
    ]


def size_cohorts(pixels: np.ndarray) -> list[dict[str, list[str]]]:
    """Returns for each film whether it is among the small, the middle or the large ones.

    The bounds are the terciles; a film that lies on one is in the middle, so that films of one
    size stay together and a set of one size has a middle only.

    Args:
        pixels: [N], width times height.
    """
    lower, upper = np.quantile(pixels, [1 / 3, 2 / 3])
    return [
        {SIZE_SLICE: ["small" if size < lower else "large" if size > upper else "middle"]}
        for size in pixels
    ]


def film_count_cohorts(patients: Sequence[str]) -> list[dict[str, list[str]]]:
    """Returns for each film whether its patient has `one` or `several` among these films."""
    films = Counter(patients)
    return [{FILMS_SLICE: ["one" if films[key] == 1 else "several"]} for key in patients]
