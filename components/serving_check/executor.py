"""ServingCheck's executor."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.shared.artifacts import MODEL_DIGEST, PREDICTIONS_FILE, SERVING_CHECK_FILE
from components.shared.digest import folder_digest
from components.shared.errors import InputError
from components.shared.features import (
    EXAMPLES,
    FILE_NAME,
    IMAGE,
    IMAGE_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    TEST,
)
from components.shared.record import decode, encode

EXAMPLES_KEY = "examples"
MODEL_KEY = "model"
EVALUATION_KEY = "evaluation"
MODEL_BLESSING_KEY = "model_blessing"
INFRA_BLESSING_KEY = "infra_blessing"

# Beside the blessing: what was found, or why the model was refused.
# A served probability may differ from the evaluator's by this much.
_TOLERANCE = 1e-4
_GOLDEN_FILMS = 32
_TIME_LIMIT_S = 900


class Executor(base_executor.BaseExecutor):
    """Stamps the model with warm-up requests, has it answer golden requests, and blesses it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the model that would be pushed.

        Args:
            input_dict: `examples` (raw, with the split test), `model` (the calibrated one),
                `evaluation` and `model_blessing`.
            output_dict: `infra_blessing`, as the stock InfraValidator writes it with warm-up; the
                model lies in it, with `assets.extra/tf_serving_warmup_requests`.
            exec_properties: none.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        blessing = artifact_utils.get_single_instance(output_dict[INFRA_BLESSING_KEY])
        judged = artifact_utils.get_single_instance(input_dict[MODEL_BLESSING_KEY])
        if not model_utils.is_model_blessed(judged):
            _conclude(blessing, {"refused": "the gate refused the model"})
            return
        stamped = path_utils.stamped_model_path(blessing.uri)
        calibrated = artifact_utils.get_single_uri(input_dict[MODEL_KEY])
        io_utils.copy_dir(path_utils.serving_model_path(calibrated), stamped)
        blessing.set_int_custom_property("has_model", 1)

        expected = _read_predictions(artifact_utils.get_single_uri(input_dict[EVALUATION_KEY]))
        films = _golden_films(
            artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], TEST), expected
        )
        _write_warmup(stamped, list(films.values()))
        golden = _write_golden(Path(self._get_tmp_dir()), films, expected)
        blessing.set_string_custom_property(MODEL_DIGEST, folder_digest(stamped))
        _conclude(blessing, _replay(stamped, golden))


def _conclude(blessing: types.Artifact, report: dict[str, Any]) -> None:
    """Writes the report and the blessing, under the names that the stock InfraValidator has."""
    blessed = "refused" not in report
    io_utils.write_string_file(os.path.join(blessing.uri, SERVING_CHECK_FILE), json.dumps(report))
    name = "INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED"
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property("blessed", int(blessed))


def _read_predictions(evaluation: str) -> dict[str, float]:
    """Returns the evaluator's probability of each test film."""
    with tf.io.gfile.GFile(os.path.join(evaluation, PREDICTIONS_FILE)) as file:
        return {
            row["file_name"]: float(row["probability"])
            for row in csv.DictReader(file)
            if row["split"] == TEST
        }


def _golden_films(uri: str, expected: dict[str, float]) -> dict[str, bytes]:
    """Returns the bytes of films spread evenly over the probabilities, by file name."""
    ordered = sorted(expected, key=lambda name: (expected[name], name))
    count = min(_GOLDEN_FILMS, len(ordered))
    wanted = {ordered[place * len(ordered) // count] for place in range(count)}
    found = {}
    paths = sorted(tf.io.gfile.glob(os.path.join(uri, "*")))
    for record in tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator():
        film = decode(record, FILE_NAME, IMAGE)
        if film[FILE_NAME] in wanted:
            found[film[FILE_NAME]] = film[IMAGE]
    if not found:
        raise InputError(f"The {TEST} split holds no films to check the model with.")
    return dict(sorted(found.items()))


def _write_warmup(model: str, films: list[bytes]) -> None:
    """Writes requests that a server sends to itself before it takes others'.

    One film and a batch, through each signature: what the first clients would wait for.
    """
    path = path_utils.warmup_file_path(model)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for batch in (films[:1], films[:8]):
            for signature, key, values in (
                (SIGNATURE_BYTES, IMAGE_BYTES, batch),
                (SIGNATURE_EXAMPLES, EXAMPLES, [encode({IMAGE: film}) for film in batch]),
            ):
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = signature
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def _write_golden(folder: Path, films: dict[str, bytes], expected: dict[str, float]) -> Path:
    listed = []
    for number, (name, data) in enumerate(films.items()):
        (folder / f"{number}.bin").write_bytes(data)
        listed.append({"file": f"{number}.bin", "probability": expected[name]})
    golden = folder / "golden.json"
    golden.write_text(json.dumps({"tolerance": _TOLERANCE, "films": listed}))
    return golden


def _replay(model: str, golden: Path) -> dict[str, Any]:
    """Runs the replay in a process of its own; a failure becomes the reason of the refusal."""
    script = Path(__file__).with_name("replay.py")
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(script), model, str(golden)],
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"refused": f"the model did not answer within {_TIME_LIMIT_S} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"refused": f"{last} (exit status {done.returncode})"}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
