"""The Beam transform from folders to films with their fates. Only names and facts travel.

The films' bytes are read where they are looked at and dropped again: what passes a grouping is a
few hundred bytes a film, so that memory does not grow with the size of the films.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.example_gen import duplicates, files, images, sampling
from components.example_gen.film import KEPT, QUARANTINED, UNDERSAMPLED, Film
from components.example_gen.settings import RunSettings
from components.films.errors import FilmError
from components.shared import patients
from components.shared.errors import InputError
from components.shared.features import CLASSES, EVAL, TEST, TRAIN
from components.shared.progress import advance

# Enough groups to keep the workers of a large runner busy.
_GROUPS = 1024
PROBLEMS = "problems"


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
                patient=patients.patient_key(file_name),
            ),
        )


def inspect_film(entry: tuple[str, Film], settings: RunSettings, total: int | None) -> Film:
    """Reads a film, checks it and returns it with its hash and facts, or quarantined."""
    path, film = entry
    advance("Checking films", 1, total)
    refusal = files.refusal(path, settings.max_bytes)
    if refusal:
        return film.leaving(QUARANTINED, refusal)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            data = file.read()
        facts = images.inspect_image(data, settings)
    except FilmError as error:
        return film.leaving(QUARANTINED, str(error))
    except (OSError, tf.errors.OpError) as error:
        return film.leaving(QUARANTINED, f"cannot be read ({error})")
    return Film(**{**vars(film), "sha256": hashlib.sha256(data).hexdigest(), "facts": facts})


def _resolve(group: tuple[str, Iterable[Film]]) -> Iterator[Any]:
    films, problems = duplicates.resolve_duplicates(list(group[1]), whole_splits=(TEST,))
    yield from films
    for problem in problems:
        yield beam.pvalue.TaggedOutput(PROBLEMS, problem)


def _check_patient(group: tuple[str, Iterable[Film]]) -> Iterator[str]:
    problem = duplicates.crossing(group[0], list(group[1]))
    if problem:
        yield problem


def _eval_patients(
    group: tuple[int, Iterable[tuple[str, int]]], settings: RunSettings
) -> Iterator[Any]:
    label, films = group
    try:
        chosen = sampling.choose_eval_patients(dict(films), settings.eval_fraction, settings.seed)
    except ValueError as error:
        yield beam.pvalue.TaggedOutput(PROBLEMS, f"{CLASSES[label]} of train: {error}")
        return
    for patient in chosen:
        yield patient, True


def _assign(group: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[Film]:
    _, values = group
    split = EVAL if any(values["eval"]) else TRAIN
    for film in values["films"]:
        yield Film(**{**vars(film), "split": split})


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
    """Folders -> (films with their fates, problems that must stop the run)."""

    def __init__(self, data: str, settings: RunSettings, total: int | None = None) -> None:
        """Remembers where the films are; `total` is their number where it is known."""
        super().__init__()
        self._data, self._settings, self._total = data, settings, total

    def expand(self, root: beam.Pipeline) -> Any:
        """Builds the transform."""
        settings = self._settings
        films = (
            root
            | "Folders" >> beam.Create(files.find_class_folders(self._data))
            | "List" >> beam.FlatMap(list_films, settings)
            | "Spread" >> Spread(lambda entry: entry[1].file_name)
            | "Inspect" >> beam.Map(inspect_film, settings, self._total)
        )
        quarantined, readable = films | "Readable" >> beam.Partition(
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
            (quarantined, dropped, self._balance(split)) | "Films" >> beam.Flatten(),
            (resolved[PROBLEMS], crossing, *unsplit) | "Problems" >> beam.Flatten(),
        )

    def _split(self, films: beam.PCollection) -> tuple[beam.PCollection, list[beam.PCollection]]:
        """Moves a share of train's patients to eval, class by class."""
        settings = self._settings
        if settings.eval_from == "val":
            return films, []
        others, pool = films | "Pool" >> beam.Partition(lambda film, _: int(film.split == TRAIN), 2)
        chosen = (
            pool
            | "Patients" >> beam.Map(lambda film: ((film.label, film.patient), 1))
            | "CountFilms" >> beam.CombinePerKey(sum)
            | "ByClass" >> beam.Map(lambda item: (item[0][0], (item[0][1], item[1])))
            | "SameClass" >> beam.GroupByKey()
            | "Choose" >> beam.FlatMap(_eval_patients, settings).with_outputs(PROBLEMS, main="eval")
        )
        assigned = (
            {"films": pool | beam.Map(lambda film: (film.patient, film)), "eval": chosen["eval"]}
            | "JoinPatients" >> beam.CoGroupByKey()
            | "Assign" >> beam.FlatMap(_assign)
        )
        return (others, assigned) | "Assigned" >> beam.Flatten(), [chosen[PROBLEMS]]

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


def check_val(folders: Iterable[files.ClassFolder], settings: RunSettings) -> None:
    """Raises InputError if eval is to come from a val folder that is not there."""
    if settings.eval_from == "val" and files.VAL_FOLDER not in {f.folder for f in folders}:
        raise InputError(
            "example_gen.eval_from is 'val', but the data set has no folder 'val': use 'pool'."
        )
