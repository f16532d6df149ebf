"""YoudenEvaluator's executor."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.evaluator import champion, inference, overlap, tfma_results
from components.evaluator.blanking import blank_centre
from components.evaluator.changes import CHANGES
from components.evaluator.gallery import write_gallery
from components.evaluator.gate import Verdict, judge
from components.evaluator.inference import Pass
from components.evaluator.metrics import binary_metrics
from components.evaluator.misreadings import worst_misreadings
from components.evaluator.predictions import Prediction, Predictions
from components.evaluator.result import measure, to_sample
from components.evaluator.settings import RunSettings
from components.evaluator.stress import choose_films, stress
from components.evaluator.threshold import DegenerateScoresError, YoudenPoint, youden_threshold
from components.shared.artifacts import PREDICTIONS_FILE, RESULT_FILE
from components.shared.errors import InputError
from components.shared.features import EVAL, SPLITS, TEST
from components.shared.limits import LIMITS_FILE, FilmLimits
from components.shared.progress import advance
from components.shared.statistics.bootstrap import Bootstrap

EXAMPLES_KEY = "examples"
MODEL_KEY = "model"
CALIBRATED_MODEL_KEY = "calibrated_model"
EVALUATION_KEY = "evaluation"
BLESSING_KEY = "blessing"
SETTINGS_KEY = "settings"
DESTINATION_KEY = "push_destination"
CHAMPION_KEY = "champion"

# Files of the evaluation, beside TFMA's.

# The test films without their middle, as if they were a split.
_BLANKED = "blanked"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Finds the threshold, measures, judges, and writes the model that may be served."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates a trained model.

        Args:
            input_dict: `examples` (raw, with the splits train, eval and test) and `model`.
            output_dict: `calibrated_model`, the same SavedModel with the threshold inside;
                `evaluation`, with `result.json`, `predictions.csv`, pictures of misread films in
                `errors` and TFMA's files; `blessing`, as the stock Evaluator writes it.
            exec_properties: `settings`, the JSON of `RunSettings`; `push_destination`, the folder
                of pushed versions; `champion`, the version to compare with, found here where the
                runner has no driver.

        Raises:
            InputError: the scores are degenerate, or a split is empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = RunSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        trained = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        model = path_utils.serving_model_path(trained.uri)
        destination = exec_properties[DESTINATION_KEY]
        version = exec_properties.get(CHAMPION_KEY)
        if version is None:
            version = champion.find_champion(destination, trained.uri)
        splits = {
            split: artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], split) for split in SPLITS
        }

        rows = self._predict(
            model,
            [
                Pass(splits[EVAL], {EVAL: None}),
                Pass(splits[TEST], {TEST: None, _BLANKED: blank_centre}),
            ],
            "candidate",
        )
        loaded = inference.load_model(model)
        evaluation_split, test = inference.of_split(rows, EVAL), inference.of_split(rows, TEST)
        point = _find_threshold(evaluation_split)
        champion_metrics = None
        if version:
            served = self._predict(
                os.path.join(destination, version),
                [Pass(splits[TEST], {TEST: None})],
                "champion",
            )
            champion_metrics = _champion_metrics(served, version)
        evaluation = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])
        with self._make_beam_pipeline() as pipeline:
            tfma_results.write_results(pipeline, test, point.threshold, evaluation)

        stressed = self._stress(
            model, {EVAL: evaluation_split, TEST: test}, splits, point.threshold, settings
        )
        measures = {
            **measure(
                test,
                evaluation_split,
                inference.of_split(rows, _BLANKED),
                point.threshold,
                Bootstrap(settings.bootstrap_resamples, settings.seed),
            ),
            "stressed_balanced_accuracy": stressed[TEST]["lowest"],
            "stress": stressed,
        }
        verdicts = judge(
            measures, settings.gate.model_dump(), champion_metrics, settings.champion_tolerance
        )
        misread = worst_misreadings(test, point.threshold)
        result = {
            "split": TEST,
            "threshold": point._asdict(),
            "eval": binary_metrics(
                evaluation_split.labels, evaluation_split.scores, point.threshold
            ),
            **measures,
            "errors": write_gallery(misread, splits[TEST], loaded, evaluation),
            "overlap": self._count_overlap(splits),
            "champion": champion_metrics,
            "gate": {name: verdict._asdict() for name, verdict in verdicts.items()},
        }
        _write_result(evaluation, result, [row for row in rows if row.split != _BLANKED])
        calibrated = artifact_utils.get_single_instance(output_dict[CALIBRATED_MODEL_KEY])
        path = path_utils.serving_model_dir(calibrated.uri)
        save_calibrated(loaded, path, point.threshold)
        note = champion.Note(champion.candidate_key(trained.uri), version, point.threshold)
        champion.write_note(path, note)
        write_limits(path, settings.limits)
        _bless(artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), trained, verdicts)

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
        self,
        model: str,
        found: Mapping[str, Predictions],
        splits: Mapping[str, str],
        threshold: float,
        settings: RunSettings,
    ) -> dict[str, dict[str, Any]]:
        """Returns for each split what `stress` says of some of its films."""
        chosen = {
            split: films.rows(
                choose_films(films.patients, films.labels, settings.stress_films, settings.seed)
            )
            for split, films in found.items()
        }
        passes = [
            Pass(
                splits[split],
                {change.of(split): change.apply for change in CHANGES},
                frozenset(films.file_names),
            )
            for split, films in chosen.items()
        ]
        rows = self._predict(model, passes, "stressed")
        bootstrap = Bootstrap(settings.bootstrap_resamples, settings.seed)
        return {
            split: stress(
                to_sample(films),
                {
                    change: to_sample(inference.of_split(rows, change.of(split)))
                    for change in CHANGES
                },
                threshold,
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


def _find_threshold(predictions: Predictions) -> YoudenPoint:
    try:
        return youden_threshold(predictions.labels, predictions.scores)
    except DegenerateScoresError as error:
        raise InputError(f"No threshold can be found on the {EVAL} split: {error}.") from error


def _champion_metrics(rows: list[Prediction], version: str) -> dict[str, Any]:
    test = inference.of_split(rows, TEST)
    threshold = rows[0].threshold
    return {
        "version": version,
        "threshold": threshold,
        **binary_metrics(test.labels, test.scores, threshold),
    }


def _write_result(folder: str, result: dict[str, Any], rows: list[Prediction]) -> None:
    with tf.io.gfile.GFile(os.path.join(folder, RESULT_FILE), "w") as file:
        file.write(json.dumps(result, indent=1))
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


def _bless(blessing: types.Artifact, trained: types.Artifact, verdicts: dict[str, Verdict]) -> None:
    """Writes the blessing that the stock Pusher and the stock resolvers read."""
    blessed = all(verdict.passed for verdict in verdicts.values())
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
