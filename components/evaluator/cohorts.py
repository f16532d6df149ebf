"""Which slices a film counts in.

A subtype holds positives only, and a stream of normal films negatives only: alone, neither has an
AUC. So a subtype is judged against all normals, and a stream of normals against all pneumonias;
the other side's films count in each of the slices.
"""

from collections.abc import Sequence

from components.example_gen.patients import name_stream
from components.features import PNEUMONIA

SUBTYPE_SLICE = "subtype_against_all_normals"
STREAM_SLICE = "normal_stream_against_all_pneumonias"
SLICES = (SUBTYPE_SLICE, STREAM_SLICE)


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
