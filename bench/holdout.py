"""A data set whose test split is cut out of the films that may be tuned on.

    python -m bench.holdout --data chest_xray --output holdouts/block-1 --part 1/5

The test split of the data set is left out: what is chosen on the result has not seen it. By
default each name stream's patients are cut into blocks of consecutive numbers, since the public
test split is such a block, in which films differ from those of train more than in a random one.
They differ more yet in a stream of names that train has not seen: `--without NORMAL2-IM`; and in
another copy of the data set, of other shapes: `--test-data chest_xray_native`.
"""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from components.example_gen.files import TEST_FOLDER, find_class_folders, list_names
from components.example_gen.sampling import rank
from components.shared.errors import InputError
from components.shared.features import CLASSES
from components.shared.patients import name_stream, patient_key, patient_number

_SEED = 1


def held_out(films: Mapping[str, int], part: int, parts: int, shuffled: bool) -> set[str]:
    """Returns the patients of one part.

    Args:
        films: how many films each patient has.
        part: which, from 1.
        parts: how many there are; every patient is in exactly one, and each part holds about as
            many films of every name stream.
        shuffled: parts of patients at random instead of blocks of consecutive numbers.
    """
    chosen = set()
    for stream in sorted({name_stream(patient) for patient in films}):
        members = [patient for patient in films if name_stream(patient) == stream]
        order = sorted(members, key=_shuffled_place if shuffled else _number)
        total = sum(films[patient] for patient in order)
        before = 0
        for patient in order:
            if before * parts // total == part - 1:
                chosen.add(patient)
            before += films[patient]
    return chosen


def _number(patient: str) -> tuple[int, str]:
    return patient_number(patient), patient


def _shuffled_place(patient: str) -> tuple[int, str]:
    return rank(_SEED, "holdout", patient), patient


def write_holdout(
    data: Path,
    output: Path,
    part: int,
    parts: int,
    shuffled: bool,
    without: str | None = None,
    test_data: Path | None = None,
) -> None:
    """Writes `output/{train,test}/{class}` with links to the films of train and val.

    Args:
        data: the data set's folder.
        output: the folder to make.
        part: which part of the patients is test, see `held_out`.
        parts: how many there are.
        shuffled: see `held_out`.
        without: a name stream, all of which is test too.
        test_data: another copy of the data set, from which the films of test are taken.

    Raises:
        InputError: two films have one name, no film is of the stream, or `output` is there.
    """
    films = _films(data)
    numbers = Counter(film.patient for film in films)
    chosen = held_out(numbers, part, parts, shuffled)
    if without is not None:
        stream = {patient for patient in numbers if name_stream(patient) == without}
        if not stream:
            known = ", ".join(sorted({name_stream(patient) for patient in numbers}))
            raise InputError(f"No film of {data} is of the stream {without}; there are {known}.")
        chosen |= stream
    if output.exists():
        raise InputError(f"{output} exists already.")
    tested = films if test_data is None else _films(test_data)
    wanted = [("train", film) for film in films if film.patient not in chosen]
    wanted += [("test", film) for film in tested if film.patient in chosen]
    for split, film in wanted:
        target = output / split / film.class_name
        target.mkdir(parents=True, exist_ok=True)
        os.symlink(film.path, target / film.path.name)


class _Film(NamedTuple):
    path: Path
    patient: str
    class_name: str


def _films(data: Path) -> list[_Film]:
    """Returns the films of train and val."""
    films = [
        _Film(Path(folder.path, name), patient_key(name), CLASSES[folder.label])
        for folder in find_class_folders(str(data.resolve()))
        if folder.folder != TEST_FOLDER
        for name in list_names(folder.path)
    ]
    ((name, times),) = Counter(film.path.name for film in films).most_common(1)
    if times > 1:
        raise InputError(f"Two films of {data} are named {name}.")
    return films


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", required=True, metavar="K/N", help="which of how many parts")
    parser.add_argument("--shuffled", action="store_true", help="random parts, not blocks")
    parser.add_argument("--without", metavar="STREAM", help="all of a name stream is test too")
    parser.add_argument(
        "--test-data", type=Path, help="another copy of the data set, whose films are test"
    )
    options = parser.parse_args()
    match = re.fullmatch(r"(\d+)/(\d+)", options.part)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        parser.error(f"--part {options.part} is not of the form K/N with K from 1 to N")
    try:
        write_holdout(
            options.data,
            options.output,
            int(match[1]),
            int(match[2]),
            options.shuffled,
            options.without,
            options.test_data,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
