"""Whether two runs were measured on the same films."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from components.reporter.content import Content


class FilmsCompared(NamedTuple):
    """What the measured splits of two runs have in common.

    Attributes:
        same: they hold the same file names with the same labels.
        told: the same in a sentence.
    """

    same: bool
    told: str


def compare_films(run: Content, reference: Content) -> FilmsCompared:
    """Compares the measured split of a run with that of the reference."""
    labels, expected = _labels(run), _labels(reference)
    if not labels or not expected:
        return FilmsCompared(False, "Not the same films: one of the splits holds none.")
    if labels == expected:
        return FilmsCompared(True, f"The same {len(labels)} films. {_fingerprints(run, reference)}")
    both = labels.keys() & expected.keys()
    relabelled = sum(labels[name] != expected[name] for name in both)
    return FilmsCompared(
        False,
        f"Not the same films: {len(both)} are in both, {len(labels) - len(both)} only in this run, "
        f"{len(expected) - len(both)} only in the first; {relabelled} of those in both have "
        "another label.",
    )


def _labels(run: Content) -> Mapping[str, Any]:
    return {row["file_name"]: row["label"] for row in run.measured}


def _fingerprints(run: Content, reference: Content) -> str:
    first, second = (content.metrics.get("data_fingerprint") for content in (run, reference))
    if not first or not second:
        return "Names and labels agree; the fingerprint of the files is not on record."
    if first == second:
        return "The data sets' fingerprints agree too."
    return (
        "Names and labels agree, but the data sets' fingerprints differ: if a film of this split "
        "was replaced under its name, the differences below mean nothing."
    )
