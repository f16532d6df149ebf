"""A data set whose test split is cut out of the films that may be tuned on.

    python -m bench.holdout --data chest_xray --output holdouts/block-1 --part 1/5

The test split of the data set is left out: what is chosen on the result has not seen it. By
default each name stream's patients are cut into blocks of consecutive numbers, since the public
test split is such a block, in which films differ from those of train more than in a random one.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from components.errors import InputError
from components.example_gen.files import TEST_FOLDER, find_class_folders, list_names
from components.example_gen.patients import name_stream, patient_key, patient_number
from components.example_gen.sampling import rank
from components.features import CLASSES

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


def write_holdout(data: Path, output: Path, part: int, parts: int, shuffled: bool) -> None:
    """Writes `output/{train,test}/{class}` with links to the films of train and val."""
    places: dict[Path, tuple[str, str]] = {}
    names: set[str] = set()
    for folder in find_class_folders(str(data.resolve())):
        if folder.folder != TEST_FOLDER:
            for name in list_names(folder.path):
                if name in names:
                    raise InputError(f"Two films of {data} are named {name}.")
                names.add(name)
                places[Path(folder.path, name)] = (patient_key(name), CLASSES[folder.label])
    films: dict[str, int] = {}
    for patient, _ in places.values():
        films[patient] = films.get(patient, 0) + 1
    chosen = held_out(films, part, parts, shuffled)
    if output.exists():
        raise InputError(f"{output} exists already.")
    for path, (patient, name) in places.items():
        target = output / ("test" if patient in chosen else "train") / name
        target.mkdir(parents=True, exist_ok=True)
        os.symlink(path, target / path.name)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", required=True, metavar="K/N", help="which of how many parts")
    parser.add_argument("--shuffled", action="store_true", help="random parts, not blocks")
    options = parser.parse_args()
    match = re.fullmatch(r"(\d+)/(\d+)", options.part)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        parser.error(f"--part {options.part} is not of the form K/N with K from 1 to N")
    try:
        write_holdout(options.data, options.output, int(match[1]), int(match[2]), options.shuffled)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
