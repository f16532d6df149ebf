"""YoudenEvaluator's executor."""

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from absl import logging
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.evaluator import champion, inference, overlap, tfma_results
from components.evaluator.blanking import blank_centre
from components.evaluator.changes import CHANGES
from components.evaluator.gallery import write_gallery
from components.evaluator.gate import judge
from components.evaluator.inference import Pass
from components.evaluator.measures import measure, to_sample
from components.evaluator.metrics import binary_metrics
from components.evaluator.misreadings import worst_misreadings
from components.evaluator.predictions import Prediction, Predictions
from components.evaluator.settings import STRESSED, RunSettings
from components.evaluator.stress import choose_films, stress
from components.evaluator.threshold import Chosen, choose_threshold
from components.shared.artifacts import PREDICTIONS_FILE, RESULT_FILE
from components.shared.features import CLASSES, EVAL, SPLITS, TEST
from components.shared.limits import LIMITS_FILE, FilmLimits
from components.shared.progress import advance
from components.shared.result import FILMS, PATIENTS, Champion, Result, Stress
from components.shared.statistics.bootstrap import Bootstrap
from components.shared.statistics.metrics import METRICS
from components.shared.statistics.paired import Difference, Reading, differences

EXAMPLES_KEY = "examples"
MODEL_KEY = "model"
CALIBRATED_MODEL_KEY = "calibrated_model"
EVALUATION_KEY = "evaluation"
BLESSING_KEY = "blessing"
SETTINGS_KEY = "settings"
DESTINATION_KEY = "push_destination"
CHAMPION_KEY = "champion"

# The test films without their middle, as if they were a split.
_BLANKED = "blanked"


class _Read(NamedTuple):
    """What the trained model says; `rows` are those of eval and of test."""

    chosen: Chosen
    evaluation: Predictions
    test: Predictions
    blanked: Predictions
    rows: list[Prediction]


class _Met(NamedTuple):
    """The champion, by how much the trained model is above it, or why it is not there."""

    champion: Champion | None = None
    above: Mapping[str, Difference] = {}
    lost: str = ""


class Executor(base_beam_executor.BaseBeamExecutor):
    """Finds the threshold, measures, judges, and writes the model that may be served."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates a trained model.

        A model whose scores have no threshold is refused, like one that keeps a bound not, and is
        measured at 0.5. A champion that is gone or cannot be read is not compared with.

        Args:
            input_dict: `examples` (raw, with the splits train, eval and test) and `model`.
            output_dict: `calibrated_model`, the same SavedModel with the threshold inside;
                `evaluation`, with `result.json`, `predictions.csv`, pictures of misread films in
                `errors` and TFMA's files; `blessing`, as the stock Evaluator writes it.
            exec_properties: `settings`, the JSON of `RunSettings`; `push_destination`, the folder
                of pushed versions; `champion`, the version to compare with, found here where the
                runner has no driver.

        Raises:
            InputError: a split is empty, or eval holds films of one class only.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = RunSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        bootstrap = Bootstrap(settings.bootstrap_resamples, settings.seed)
        trained = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        model = path_utils.serving_model_path(trained.uri)
        destination = exec_properties[DESTINATION_KEY]
        version = exec_properties.get(CHAMPION_KEY)
        if version is None:
            version = champion.find_champion(destination, trained.uri)
        splits = {
            split: artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], split) for split in SPLITS
        }
        evaluation = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])

        read = self._read(model, splits)
        test, threshold = read.test, read.chosen.threshold
        loaded = inference.load_model(model)
        # Before the champion takes the model's place in memory.
        stressed = self._stress(model, read, splits, settings)
        met = _Met()
        if version:
            met = self._meet(read, destination, version, splits[TEST], bootstrap)
        inference.forget_models()
        with self._make_beam_pipeline() as pipeline:
            tfma_results.write_results(pipeline, test, threshold, evaluation)
        measures = measure(test, read.evaluation, read.blanked, threshold, bootstrap)
        values = {
            **{name: measures[name] for name in METRICS},
            STRESSED: stressed[TEST].lowest,
            **_evidence(test),
        }
        misread = worst_misreadings(test, threshold)
        result = Result(
            **measures,
            threshold=threshold,
            youden=read.chosen.youden,
            stress=stressed,
            stressed_balanced_accuracy=values[STRESSED],
            errors=write_gallery(misread, splits[TEST], loaded, evaluation),
            overlap=self._count_overlap(splits),
            champion=met.champion,
            champion_lost=met.lost,
            gate=judge(
                values,
                measures["intervals"],
                settings.gate.model_dump(),
                met.above,
                settings.champion_tolerance,
                read.chosen.why_none,
            ),
        )
        _write_result(evaluation, result, read.rows)
        calibrated = artifact_utils.get_single_instance(output_dict[CALIBRATED_MODEL_KEY])
        path = path_utils.serving_model_dir(calibrated.uri)
        save_calibrated(loaded, path, threshold)
        note = champion.Note(champion.candidate_key(trained.uri), version, threshold)
        champion.write_note(path, note)
        write_limits(path, settings.limits)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        _bless(blessing, trained, result.blessed)

    def _read(self, model: str, splits: Mapping[str, str]) -> _Read:
        """Runs the trained model over eval and test, and finds its threshold on eval."""
        passes = [
            Pass(splits[EVAL], {EVAL: None}),
            Pass(splits[TEST], {TEST: None, _BLANKED: blank_centre}),
        ]
        rows = self._predict(model, passes, "candidate")
        found = inference.of_split(rows, EVAL)
        chosen = choose_threshold(found.labels, found.scores, inference.count_unusable(rows))
        rows = inference.usable(rows)
        return _Read(
            chosen,
            inference.of_split(rows, EVAL),
            inference.of_split(rows, TEST),
            inference.of_split(rows, _BLANKED),
            [row for row in rows if row.split != _BLANKED],
        )

    def _meet(
        self, read: _Read, destination: str, version: str, films: str, bootstrap: Bootstrap
    ) -> _Met:
        """Runs the served model over the test films, and sets the trained one beside it."""
        model = os.path.join(destination, version)
        lost = champion.why_lost(model)
        rows = [] if lost else self._predict(model, [Pass(films, {TEST: None})], "champion")
        if unusable := inference.count_unusable(rows):
            lost = f"{unusable} of its {len(rows)} probabilities are no numbers"
        if lost:
            logging.warning("Version %s is not compared with: %s", version, lost)
            return _Met(lost=f"version {version}: {lost}")
        test = read.test
        served = Reading(inference.of_split(rows, TEST).scores, rows[0].threshold)
        measured = binary_metrics(test.labels, served.scores, served.threshold)
        return _Met(
            Champion(version=version, threshold=served.threshold, **measured.fields()),
            differences(
                test.labels,
                test.patients,
                Reading(test.scores, read.chosen.threshold),
                served,
                bootstrap,
            ),
        )

    def _predict(self, model: str, passes: Sequence[Pass], name: str) -> list[Prediction]:
        """Runs a model over films; `name` keeps the models' results apart."""
        path = os.path.join(self._get_tmp_dir(), name)
        advance("Predicting", 0)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Predict" >> inference.Predict(model, passes)
                | "Write" >> beam.io.WriteToText(path)
            )
        return inference.read_predictions(f"{path}-*")

    def _stress(
        self, model: str, read: _Read, splits: Mapping[str, str], settings: RunSettings
    ) -> dict[str, Stress]:
        """Returns for each split what `stress` says of some of its films."""
        chosen = {
            split: films.rows(
                choose_films(films.patients, films.labels, settings.stress_films, settings.seed)
            )
            for split, films in ((EVAL, read.evaluation), (TEST, read.test))
        }
        passes = [
            Pass(
                splits[split],
                {change.of(split): change.apply for change in CHANGES},
                frozenset(films.file_names),
            )
            for split, films in chosen.items()
        ]
        rows = inference.usable(self._predict(model, passes, "stressed"))
        bootstrap = Bootstrap(settings.bootstrap_resamples, settings.seed)
        return {
            split: stress(
                to_sample(films),
                {
                    change: to_sample(inference.of_split(rows, change.of(split)))
                    for change in CHANGES
                },
                read.chosen.threshold,
                bootstrap,
            )
            for split, films in chosen.items()
        }

    def _count_overlap(self, splits: dict[str, str]) -> dict[str, dict[str, int]]:
        path = os.path.join(self._get_tmp_dir(), "overlap")
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Overlap" >> overlap.CountOverlap(splits)
                | "Write" >> beam.io.WriteToText(path)
            )
        return overlap.read_overlap(f"{path}-*")


def _evidence(test: Predictions) -> dict[str, float]:
    """Returns how many films and patients the class has that has fewer."""
    patients = np.array(test.patients)
    of_class = [patients[test.labels == label] for label in range(len(CLASSES))]
    return {
        FILMS: float(min(len(found) for found in of_class)),
        PATIENTS: float(min(len(set(found)) for found in of_class)),
    }


def _write_result(folder: str, result: Result, rows: list[Prediction]) -> None:
    with tf.io.gfile.GFile(os.path.join(folder, RESULT_FILE), "w") as file:
        file.write(result.model_dump_json(indent=1))
    with tf.io.gfile.GFile(os.path.join(folder, PREDICTIONS_FILE), "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = [name for name in Prediction._fields if name != "threshold"]
        writer.writerow(columns)
        # Nine significant digits give a float32 back as it was.
        writer.writerows(
            [*(getattr(row, name) for name in columns[:-1]), f"{row.probability:.9g}"]
            for row in rows
        )


def save_calibrated(loaded: Any, path: str, threshold: float) -> None:
    """Writes a loaded SavedModel to `path` with another threshold, which it has from then on."""
    loaded.threshold.assign(threshold)
    tf.saved_model.save(loaded, path, signatures=dict(loaded.signatures))


def write_limits(model: str, limits: FilmLimits) -> None:
    """Makes the model say what films it was made for: a server refuses others."""
    path = os.path.join(model, LIMITS_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(limits.model_dump_json())


def _bless(blessing: types.Artifact, trained: types.Artifact, blessed: bool) -> None:
    """Writes the blessing that the stock Pusher and the stock resolvers read."""
    name, value = (
        (constants.BLESSED_FILE_NAME, constants.BLESSED_VALUE)
        if blessed
        else (constants.NOT_BLESSED_FILE_NAME, constants.NOT_BLESSED_VALUE)
    )
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, trained.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, trained.id)
