"""The Beam transform from names to films with their fates. Only names and facts travel.

The films' bytes are read where they are looked at and dropped again: what passes a grouping is a
few hundred bytes a film, so that memory does not grow with the size of the films.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.example_gen import duplicates, files, images, sampling
from components.example_gen.film import KEPT, QUARANTINED, UNDERSAMPLED, Film
from components.example_gen.identity import Key, dicom_patient
from components.example_gen.settings import RunSettings
from components.films.dicom import is_dicom
from components.films.errors import FilmError, NotMeantError
from components.shared import patients
from components.shared.artifacts import LEFT_OUT
from components.shared.features import CLASSES, EVAL, TEST, TRAIN
from components.shared.progress import advance

# Enough groups to keep the workers of a large runner busy.
_GROUPS = 1024
PROBLEMS = "problems"


@dataclass(frozen=True)
class Source:
    """Where the films are, as a worker finds them.

    Attributes:
        folder: that films' names are relative to.
        listing: file of the films of a table, a line of JSON each; None: the class folders.
        cuts_test: whether test is still to be cut out of them.
        key: of the patients; None where no film needs it.
        total: number of films.
    """

    folder: str
    listing: str | None
    cuts_test: bool
    key: Key | None
    total: int


@beam.ptransform_fn
def Spread(items: beam.PCollection, key: Any) -> beam.PCollection:
    """Hands items out anew to the workers, grouped by a hash of `key(item)`.

    Reshuffle does the same by random numbers, and so in another order each time: what is written
    would differ from run to run.
    """
    return (
        items
        | "Key" >> beam.Map(lambda item: (sampling.rank(0, "spread", key(item)) % _GROUPS, item))
        | "Group" >> beam.GroupByKey()
        | "Ungroup" >> beam.FlatMap(lambda group: group[1])
    )


def initial_split(folder: str, settings: RunSettings) -> str:
    """Returns the split that a folder's films start in.

    The public `val` holds 16 films, too few to choose anything by: unless told otherwise it joins
    train, and eval is cut from both.
    """
    if folder == files.VAL_FOLDER:
        return EVAL if settings.eval_from == "val" else TRAIN
    return {files.TRAIN_FOLDER: TRAIN, files.TEST_FOLDER: TEST}[folder]


def list_films(folder: files.ClassFolder, settings: RunSettings) -> Iterator[tuple[str, Film]]:
    """Yields (path, film) for each entry of a class folder, unread."""
    for name in sorted(files.list_names(folder.path)):
        parent, class_name = os.path.split(folder.path)
        file_name = f"{os.path.basename(parent)}/{class_name}/{name}"
        yield (
            os.path.join(folder.path, name),
            Film(
                file_name=file_name,
                split=initial_split(folder.folder, settings),
                label=folder.label,
                subtype=patients.subtype(file_name, pneumonia=bool(folder.label)),
                patient="" if files.may_be_dicom(name) else patients.patient_key(file_name),
            ),
        )


def listed_film(line: str, source: Source, settings: RunSettings) -> tuple[str, Film]:
    """Returns (path, film) for a line of a table's listing."""
    film = Film.from_json(line)
    split = initial_split(film.split, settings)
    return os.path.join(source.folder, film.file_name), dataclasses.replace(film, split=split)


def inspect_film(entry: tuple[str, Film], settings: RunSettings, source: Source) -> Film:
    """Reads a film, checks it and returns it with its hash and facts, or left out or quarantined.

    A film that a table leaves out or puts aside is not opened.
    """
    path, film = entry
    advance("Checking films", 1, source.total)
    if film.fate != KEPT:
        return film
    refusal = files.refusal(path, settings)
    if refusal:
        return film.leaving(QUARANTINED, refusal)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            data = file.read()
        facts = images.inspect_image(data, settings)
        patient = film.patient or patient_of(film.file_name, data, source.key)
    except NotMeantError as error:
        return film.leaving(LEFT_OUT, error.kind)
    except FilmError as error:
        return film.leaving(QUARANTINED, str(error))
    except (OSError, tf.errors.OpError) as error:
        return film.leaving(QUARANTINED, f"cannot be read ({error})")
    sha256 = hashlib.sha256(data).hexdigest()
    return dataclasses.replace(film, patient=patient, sha256=sha256, facts=facts)


def patient_of(file_name: str, data: bytes, key: Key | None) -> str:
    """Returns a film's patient, as its file tells: its tags, or else its name."""
    if key is not None and is_dicom(data):
        found = dicom_patient(data)
        if found is not None:
            return key.pseudonym(*found)
    return patients.patient_key(file_name)


def _resolve(group: tuple[str, Iterable[Film]]) -> Iterator[Any]:
    films, problems = duplicates.resolve_duplicates(list(group[1]), whole_splits=(TEST,))
    yield from films
    for problem in problems:
        yield beam.pvalue.TaggedOutput(PROBLEMS, problem)


def _check_patient(group: tuple[str, Iterable[Film]]) -> Iterator[str]:
    problem = duplicates.crossing(group[0], list(group[1]))
    if problem:
        yield problem


def _choose_patients(
    group: tuple[int, Iterable[tuple[str, int]]], split: str, fraction: float, seed: int
) -> Iterator[Any]:
    label, films = group
    try:
        chosen = sampling.choose_eval_patients(dict(films), fraction, seed, split)
    except ValueError as error:
        yield beam.pvalue.TaggedOutput(PROBLEMS, f"{CLASSES[label]} of train: {error}")
        return
    for patient in chosen:
        yield patient, True


def _assign(group: tuple[str, Mapping[str, Iterable[Any]]], split: str) -> Iterator[Film]:
    # All films of a patient go together, whichever class the patient was chosen by.
    _, values = group
    split = split if any(values["chosen"]) else TRAIN
    for film in values["films"]:
        yield dataclasses.replace(film, split=split)


@beam.ptransform_fn
def Cut(films: beam.PCollection, split: str, fraction: float, seed: int) -> Any:
    """Moves a share of train's patients to another split, class by class.

    Returns:
        All films, and the problems that must stop the run.
    """
    others, pool = films | "Pool" >> beam.Partition(lambda film, _: int(film.split == TRAIN), 2)
    chosen = (
        pool
        | "Patients" >> beam.Map(lambda film: ((film.label, film.patient), 1))
        | "CountFilms" >> beam.CombinePerKey(sum)
        | "ByClass" >> beam.Map(lambda item: (item[0][0], (item[0][1], item[1])))
        | "SameClass" >> beam.GroupByKey()
        | "Choose"
        >> beam.FlatMap(_choose_patients, split, fraction, seed).with_outputs(
            PROBLEMS, main="chosen"
        )
    )
    assigned = (
        {
            "films": pool | "ByPatient" >> beam.Map(lambda film: (film.patient, film)),
            "chosen": chosen["chosen"],
        }
        | "JoinPatients" >> beam.CoGroupByKey()
        | "Assign" >> beam.FlatMap(_assign, split)
    )
    return (others, assigned) | "Assigned" >> beam.Flatten(), chosen[PROBLEMS]


def _undersample(
    group: tuple[int, Iterable[Film]], counts: Mapping[int, int], settings: RunSettings
) -> Iterator[Film]:
    label, films = group[0], list(group[1])
    number = sampling.films_to_keep(counts, settings.undersampling_ratio)[label]
    staying = sampling.smallest((film.file_name for film in films), number, settings.seed)
    for film in films:
        if film.file_name in staying:
            yield film
        else:
            yield film.leaving(UNDERSAMPLED, f"{len(films)} films of its class, {number} kept")


class PlanFilms(beam.PTransform):
    """The source -> (films with their fates, problems that must stop the run)."""

    def __init__(self, source: Source, settings: RunSettings) -> None:
        """Remembers where the films are, and what to do with them."""
        super().__init__()
        self._source, self._settings = source, settings

    def expand(self, root: beam.Pipeline) -> Any:
        """Builds the transform."""
        settings = self._settings
        films = (
            self._list(root)
            | "Spread" >> Spread(lambda entry: entry[1].file_name)
            | "Inspect" >> beam.Map(inspect_film, settings, self._source)
        )
        unusable, readable = films | "Readable" >> beam.Partition(
            lambda film, _: int(film.fate == KEPT), 2
        )
        resolved = (
            readable
            | "ByContent" >> beam.Map(lambda film: (film.sha256, film))
            | "SameContent" >> beam.GroupByKey()
            | "Duplicates" >> beam.FlatMap(_resolve).with_outputs(PROBLEMS, main="films")
        )
        dropped, unique = resolved["films"] | "Unique" >> beam.Partition(
            lambda film, _: int(film.fate == KEPT), 2
        )
        crossing = (
            unique
            | "ByPatient" >> beam.Map(lambda film: (film.patient, film))
            | "SamePatient" >> beam.GroupByKey()
            | "Crossing" >> beam.FlatMap(_check_patient)
        )
        split, unsplit = self._split(unique)
        return (
            (unusable, dropped, self._balance(split)) | "Films" >> beam.Flatten(),
            (resolved[PROBLEMS], crossing, *unsplit) | "Problems" >> beam.Flatten(),
        )

    def _list(self, root: beam.Pipeline) -> beam.PCollection:
        """Returns (path, film) of each film, unread."""
        source = self._source
        if source.listing is None:
            return (
                root
                | "Folders" >> beam.Create(files.find_class_folders(source.folder))
                | "List" >> beam.FlatMap(list_films, self._settings)
            )
        return (
            root
            | "Listing" >> beam.io.ReadFromText(source.listing)
            | "Listed" >> beam.Map(listed_film, source, self._settings)
        )

    def _split(self, films: beam.PCollection) -> tuple[beam.PCollection, list[beam.PCollection]]:
        """Cuts the splits that the data set does not come with."""
        settings, problems = self._settings, []
        if self._source.cuts_test:
            cut = Cut(TEST, settings.test_fraction, settings.seed)
            films, found = films | "CutTest" >> cut
            problems.append(found)
        if settings.eval_from == "pool":
            cut = Cut(EVAL, settings.eval_fraction, settings.seed)
            films, found = films | "CutEval" >> cut
            problems.append(found)
        return films, problems

    def _balance(self, films: beam.PCollection) -> beam.PCollection:
        """Undersamples the majority class of train."""
        others, train = films | "Train" >> beam.Partition(
            lambda film, _: int(film.split == TRAIN), 2
        )
        by_label = train | "ByLabel" >> beam.Map(lambda film: (film.label, film))
        counts = beam.pvalue.AsDict(by_label | "CountLabels" >> beam.combiners.Count.PerKey())
        balanced = (
            by_label
            | "SameLabel" >> beam.GroupByKey()
            | "Undersample" >> beam.FlatMap(_undersample, counts, self._settings)
        )
        return (others, balanced) | "Balanced" >> beam.Flatten()
