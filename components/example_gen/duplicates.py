"""Films that are there twice, and patients who are on both sides of a split."""

from collections.abc import Sequence

from components.example_gen.film import DUPLICATE, QUARANTINED, Film


def names(films: Sequence[Film], most: int = 6) -> str:
    """Returns the films' names in order, `most` of them at the most, for a message."""
    ordered = sorted(film.file_name for film in films)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def resolve_duplicates(
    copies: Sequence[Film], whole_splits: Sequence[str]
) -> tuple[list[Film], list[str]]:
    """Decides about films of the same bytes.

    Inside a split the first by name is kept; the splits named in `whole_splits` keep all. Copies
    with different labels are put aside, all of them: nobody knows which is right.

    Args:
        copies: films with one sha256.
        whole_splits: splits that are reported on as they came.

    Returns:
        The films with their fates, and the problems that must stop the run, a sentence each.
    """
    splits = {film.split for film in copies}
    if len(splits) > 1:
        return [], [f"the same image is in {' and '.join(sorted(splits))}: {names(copies)}"]
    ordered = sorted(copies, key=lambda film: film.file_name)
    if splits & set(whole_splits):
        return ordered, []
    if len({film.label for film in copies}) > 1:
        reason = f"the same image is filed under both classes: {names(copies)}"
        return [film.leaving(QUARANTINED, reason) for film in ordered], []
    first, *others = ordered
    reason = f"same bytes as {first.file_name}"
    return [first, *(film.leaving(DUPLICATE, reason) for film in others)], []


def crossing(patient: str, films: Sequence[Film]) -> str | None:
    """Returns the problem, as a sentence, if a patient's films are in several splits."""
    splits = sorted({film.split for film in films})
    if len(splits) < 2:
        return None
    return f"patient {patient} is in {' and '.join(splits)}: {names(films)}"
