"""ChestXrayExampleGen's executor: plan, check, then read the kept films and write Examples."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.types import artifact_utils

from components.example_gen import files, plan, source
from components.example_gen.film import KEPT, QUARANTINED, Film
from components.example_gen.record import WRITING, to_example
from components.example_gen.settings import RunSettings
from components.shared.artifacts import LEFT_OUT, QUARANTINE_FILE, SUMMARY_FILE
from components.shared.errors import BadFilmsError, InputError
from components.shared.features import CLASSES, SPLITS
from components.shared.files import displayed
from components.shared.progress import advance

# Keys of the component's outputs and parameters.
EXAMPLES_KEY = "examples"
DATA_KEY = "data"
SETTINGS_KEY = "settings"

# Files beside the splits in the Examples artifact.
MANIFEST = "manifest"  # JSON lines, in shards: every file of the data set and its fate
# In summary.json, of a film whose class nobody knows.
NO_CLASS = "unknown"


class Executor(BaseExampleGenExecutor):
    """Turns the data set's folder, or the films of a table, into Examples.

    Two Beam pipelines: the first looks at every film and decides what becomes of it, the second
    reads the kept ones again and writes them. So nothing is written of a data set that is refused,
    and no film's bytes ever pass a shuffle, which the in-memory runner would keep in memory (the
    base class' `Do` shuffles them all).
    """

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Not used: the splits are decided over all folders together."""
        raise NotImplementedError("see GenerateExamplesByBeam")

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Reads the kept films of a manifest.

        Args:
            pipeline: the Beam pipeline.
            exec_properties: `data`, the folder that films' names are relative to; `settings`; and
                `manifest`, the pattern of the manifest's shards.

        Returns:
            For each split the serialized Examples.
        """
        kept = (
            pipeline
            | "Manifest" >> beam.io.ReadFromText(exec_properties[MANIFEST])
            | "Parse" >> beam.Map(Film.from_json)
            | "Kept" >> beam.Filter(lambda film: film.fate == KEPT)
            | "Spread" >> plan.Spread(lambda film: film.file_name)
        )
        splits = kept | "Split" >> beam.Partition(
            lambda film, _: SPLITS.index(film.split), len(SPLITS)
        )
        read = beam.Map(to_example, exec_properties[DATA_KEY], exec_properties[SETTINGS_KEY])
        return {
            split: films | f"Read[{split}]" >> read
            for split, films in zip(SPLITS, splits, strict=True)
        }

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Ingests the data set.

        Args:
            input_dict: empty.
            output_dict: `examples`, with the splits train, eval and test; beside them lie the
                manifest, `quarantine.csv` and `summary.json`.
            exec_properties: `data`, the folder or the table; `settings`, the JSON of `RunSettings`.

        Raises:
            InputError: the data set cannot be used as it is.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[EXAMPLES_KEY])
        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        data = exec_properties[DATA_KEY]
        settings = RunSettings.model_validate_json(exec_properties[SETTINGS_KEY])

        source.check(data, settings)
        manifest = os.path.join(artifact.uri, MANIFEST)
        films = _films(data, settings, f"{manifest}_listed")
        self._plan(data, films, settings, manifest)
        summary = _conclude(artifact.uri, manifest, settings)

        advance(WRITING, 0, sum(sum(v.values()) for v in summary["kept"].values()))
        with self._make_beam_pipeline() as pipeline:
            splits = self.GenerateExamplesByBeam(
                pipeline,
                {DATA_KEY: films.folder, SETTINGS_KEY: settings, MANIFEST: f"{manifest}-*"},
            )
            for split, examples in splits.items():
                uri = artifact_utils.get_split_uri([artifact], split)
                _ = examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    os.path.join(uri, "data_tfrecord"), file_name_suffix=".gz"
                )

    def _plan(self, data: str, films: plan.Source, settings: RunSettings, manifest: str) -> None:
        problems = f"{manifest}_problems"
        with self._make_beam_pipeline() as pipeline:
            planned, found = pipeline | "Plan" >> plan.PlanFilms(films, settings)
            _ = (
                planned
                | "ToJson" >> beam.Map(lambda film: film.to_json())
                | "WriteManifest" >> beam.io.WriteToText(manifest)
            )
            _ = found | "WriteProblems" >> beam.io.WriteToText(problems)
        sentences = sorted(line for line in _lines(f"{problems}-*"))
        if sentences:
            raise InputError(
                f"The data set {data} leaks or cannot be split: {'; '.join(sentences[:5])}"
                f"{f' (and {len(sentences) - 5} more)' if len(sentences) > 5 else ''}."
            )
        for path in [
            *tf.io.gfile.glob(f"{problems}-*"),
            *([films.listing] if films.listing else []),
        ]:
            tf.io.gfile.remove(path)


def _films(data: str, settings: RunSettings, listing: str) -> plan.Source:
    """Returns where the films are; those of a table are listed in a file for the workers."""
    key = source.patient_key(data, settings)
    if key is None or not source.is_table(data):
        folders = files.find_class_folders(data)
        total = sum(1 for folder in folders for _ in files.list_names(folder.path))
        return plan.Source(data, None, cuts_test=False, key=key, total=total)
    table = source.read_table(data, settings)
    films = source.list_table(table, settings, key)
    tf.io.gfile.makedirs(os.path.dirname(listing))
    with tf.io.gfile.GFile(listing, "w") as file:
        for film in films:
            file.write(f"{film.to_json()}\n")
    folder = source.folder_of(data)
    return plan.Source(folder, listing, not table.has_splits, key, len(films))


def _lines(pattern: str) -> Iterator[str]:
    for path in sorted(tf.io.gfile.glob(pattern)):
        with tf.io.gfile.GFile(path) as file:
            yield from (line.rstrip("\n") for line in file)


def _conclude(uri: str, manifest: str, settings: RunSettings) -> dict[str, Any]:
    """Counts fates, writes quarantine.csv and summary.json, refuses what cannot be used."""
    counts: Counter[tuple[str, str, str]] = Counter()
    left_out: Counter[str] = Counter()
    quarantine = []
    for line in _lines(f"{manifest}-*"):
        film = Film.from_json(line)
        if film.fate == LEFT_OUT:
            left_out[film.reason] += 1
            continue
        counts[film.fate, film.split, NO_CLASS if film.label is None else CLASSES[film.label]] += 1
        if film.fate == QUARANTINED:
            quarantine.append((film.file_name, film.reason))
    quarantine.sort()
    _check_quarantine(quarantine, sum(counts.values()), settings)
    summary: dict[str, Any] = {}
    for (fate, split, name), count in sorted(counts.items()):
        summary.setdefault(fate, {}).setdefault(split, {})[name] = count
    if left_out:
        summary[LEFT_OUT] = dict(sorted(left_out.items()))
    for split in SPLITS:
        for name in CLASSES:
            if not summary.get(KEPT, {}).get(split, {}).get(name):
                raise InputError(f"No {name} film is left for the {split} split.")
    write_quarantine(os.path.join(uri, QUARANTINE_FILE), quarantine)
    with tf.io.gfile.GFile(os.path.join(uri, SUMMARY_FILE), "w") as file:
        file.write(json.dumps(summary, indent=2))
    return summary


def _check_quarantine(
    quarantine: Sequence[tuple[str, str]], total: int, settings: RunSettings
) -> None:
    """Raises BadFilmsError where too many of the files that were wanted were put aside."""
    if len(quarantine) > settings.max_bad_fraction * total:
        name, reason = quarantine[0]
        raise BadFilmsError(
            f"{len(quarantine)} of {total} files were put aside, more than "
            f"example_gen.max_bad_fraction={settings.max_bad_fraction:g} allows; "
            f"the first is {name}: {reason}.",
            quarantine,
        )


def write_quarantine(path: str, rows: Sequence[tuple[str, str]]) -> None:
    """Writes the list of files put aside, with a header, as CSV, each in one line."""
    with tf.io.gfile.GFile(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "reason"])
        writer.writerows((displayed(name), reason) for name, reason in rows)
