import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import FinishedRun
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import standard_artifacts

from components.serving_check import replay
from components.serving_check.executor import (
    Executor,
    _golden_films,
    _read_predictions,
    _replay,
)
from components.shared.digest import folder_digest
from components.shared.errors import InputError
from components.shared.record import encode as to_example
from support.films import encode, tiny_film
from support.served_model import png, save

SCRIPT = Path(replay.__file__)


def model_of(run: FinishedRun) -> str:
    return f"{run.nodes['YoudenEvaluator'].output('calibrated_model').uri}/Format-Serving"


def golden(folder: Path, model: str, error: float = 0.0) -> Path:
    """Two films and what the model says of them, plus `error`."""
    folder.mkdir()
    films = [encode(tiny_film(1)), encode(tiny_film(2, pneumonia=True), ".png")]
    answer = tf.saved_model.load(model).signatures["serving_default"](
        image_bytes=tf.constant(films)
    )
    listed = []
    for number, (film, probability) in enumerate(
        zip(films, answer["probability"].numpy(), strict=True)
    ):
        (folder / f"{number}.bin").write_bytes(film)
        listed.append({"file": f"{number}.bin", "probability": float(probability) + error})
    path = folder / "golden.json"
    path.write_text(json.dumps({"tolerance": 1e-4, "films": listed}))
    return path


def test_a_good_model_passes(finished_run: FinishedRun, tmp_path: Path) -> None:
    report = finished_run.metrics["serving_check"]
    assert report["films"] == 24
    assert report["max_difference"] < 1e-4
    assert report["latency_ms"] > 0.0
    model = model_of(finished_run)
    assert _replay(model, golden(tmp_path / "golden", model))["films"] == 2


def test_other_probabilities_are_refused(finished_run: FinishedRun, tmp_path: Path) -> None:
    model = model_of(finished_run)
    found = _replay(model, golden(tmp_path / "golden", model, error=2e-4))
    assert "differ from the evaluator's by 0.0002" in found["refused"]


def test_a_model_that_does_not_load_is_refused(finished_run: FinishedRun, tmp_path: Path) -> None:
    good = model_of(finished_run)
    broken = tmp_path / "broken"
    shutil.copytree(good, broken)
    (broken / "variables" / "variables.index").write_bytes(b"")
    assert "exit status 1" in _replay(str(broken), golden(tmp_path / "golden", good))["refused"]


def write_examples(folder: Path, films: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(folder / "data.gz"), options) as writer:
        for name, film in films.items():
            writer.write(to_example({"file_name": name, "image": film}))


@pytest.mark.parametrize(
    ("films", "places"),
    [
        (5, list(range(5))),
        (32, list(range(32))),
        (48, [place for place in range(48) if place % 3 != 2]),
        (64, list(range(0, 64, 2))),
    ],
)
def test_golden_films_are_spread_over_all_probabilities(
    films: int, places: list[int], tmp_path: Path
) -> None:
    # In another order by name than by probability.
    names = [f"{7 * place % films:02d}.png" for place in range(films)]
    write_examples(tmp_path / "test", {name: name.encode() for name in sorted(names)})
    expected = {name: place / films for place, name in enumerate(names)}
    found = _golden_films(str(tmp_path / "test"), expected)
    assert found == {names[place]: names[place].encode() for place in places}
    assert list(found) == sorted(found)


def test_a_split_without_films_has_none_to_check_with(tmp_path: Path) -> None:
    write_examples(tmp_path / "test", {})
    with pytest.raises(InputError, match=r"^The test split holds no films to check the model with"):
        _golden_films(str(tmp_path / "test"), {})


def test_golden_films_are_of_test_alone(tmp_path: Path) -> None:
    rows = ["split,file_name,probability", "eval,a.png,0.5", "test,b.png,0.25", "test,c.png,1"]
    (tmp_path / "predictions.csv").write_text("\n".join(rows))
    assert _read_predictions(str(tmp_path)) == {"b.png": 0.25, "c.png": 1.0}


def check(folder: Path, blessed: int) -> tuple[standard_artifacts.InfraBlessing, object]:
    """Runs the executor on a model that says of broken bytes not which they are."""
    films = {f"test/{level:03d}.png": png(level) for level in range(0, 200, 20)}
    write_examples(folder / "examples" / "Split-test", films)
    rows = [f"test,{name},{int(name[5:8]) / 255:.9g}" for name in films]
    rows.append("eval,eval/000.png,0.5")
    (folder / "evaluation").mkdir()
    lines = ["split,file_name,probability", *rows, ""]
    (folder / "evaluation" / "predictions.csv").write_text("\n".join(lines))
    saved = save(folder / "saved", 7, explains=False)
    (folder / "model").mkdir()
    saved.rename(folder / "model" / "Format-Serving")
    judged = standard_artifacts.ModelBlessing()
    judged.set_int_custom_property("blessed", blessed)
    inputs = {"model_blessing": [judged]}
    for key, kind in (
        ("examples", standard_artifacts.Examples),
        ("model", standard_artifacts.Model),
        ("evaluation", standard_artifacts.ModelEvaluation),
    ):
        inputs[key] = [kind()]
        inputs[key][0].uri = str(folder / key)
    inputs["examples"][0].split_names = '["test"]'
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(folder / "blessing")
    context = BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    (folder / "tmp").mkdir()
    Executor(context).Do(inputs, {"infra_blessing": [blessing]}, {})
    report = json.loads((folder / "blessing" / "serving_check.json").read_text())
    return blessing, report


def test_a_model_that_fails_is_stamped_and_not_blessed(tmp_path: Path) -> None:
    blessing, report = check(tmp_path, blessed=1)
    why = "the error for broken bytes does not name image_bytes[0] (exit status 1)"
    assert report == {"refused": why}
    names = {path.name for path in (tmp_path / "blessing").iterdir()}
    assert names == {"INFRA_NOT_BLESSED", "serving_check.json", "stamped_model"}
    assert blessing.has_custom_property("blessed")
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("has_model") == 1
    stamped = tmp_path / "blessing" / "stamped_model"
    assert (stamped / "saved_model.pb").is_file()
    assert (stamped / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert blessing.get_string_custom_property("model_digest") == folder_digest(str(stamped))


def test_a_model_that_the_gate_refused_is_not_checked(tmp_path: Path) -> None:
    blessing, report = check(tmp_path, blessed=0)
    assert report == {"refused": "the gate refused the model"}
    names = {path.name for path in (tmp_path / "blessing").iterdir()}
    assert names == {"INFRA_NOT_BLESSED", "serving_check.json"}
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("has_model") == 0


class Careless(tf.Module):
    """Answers in the right form, and never says no."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def by_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        half = tf.ones_like(image_bytes, tf.float32) / 2.0
        return {
            "probability": half,
            "threshold": half,
            "label": tf.fill(tf.shape(image_bytes), "PNEUMONIA"),
            "model_version": tf.fill(tf.shape(image_bytes), "7"),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def by_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.by_bytes(examples)


def test_a_model_that_answers_to_broken_bytes_is_refused(tmp_path: Path) -> None:
    module, path = Careless(), str(tmp_path / "model")
    signatures = {"serving_default": module.by_bytes, "serving_examples": module.by_examples}
    tf.saved_model.save(module, path, signatures=signatures)
    found = _replay(path, golden(tmp_path / "golden", path))
    assert "a broken image was answered" in found["refused"]


class Silent(Careless):
    """Says no to broken bytes, and not to which."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def by_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        sizes = tf.map_fn(
            lambda data: tf.size(tf.io.decode_image(data, channels=3)),
            image_bytes,
            fn_output_signature=tf.int32,
        )
        with tf.control_dependencies([sizes]):
            return super().by_bytes(tf.identity(image_bytes))


def test_an_error_that_names_no_row_is_refused(tmp_path: Path) -> None:
    module, path = Silent(), str(tmp_path / "model")
    signatures = {"serving_default": module.by_bytes, "serving_examples": module.by_examples}
    tf.saved_model.save(module, path, signatures=signatures)
    client = replay.Client(path)
    with pytest.raises(replay.CheckError, match=r"does not name image_bytes\[0\]"):
        replay.check_broken(client.by_bytes, "image_bytes", encode(tiny_film(1)))


class Explaining(Careless):
    """Answers as a model should, but for its heat map."""

    def __init__(self, heat: float, side: int) -> None:
        super().__init__()
        self._heat, self._side = heat, side

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        films = tf.size(image_bytes)
        picture = tf.io.encode_png(tf.zeros([self._side, 4, 1], tf.uint8))
        return {
            **self.by_bytes(image_bytes),
            "heatmap": tf.fill([films, 2, 2], self._heat),
            "seen_bytes": tf.fill([films], picture),
        }


@pytest.mark.parametrize(
    ("heat", "side", "reason"),
    [
        (1.5, 4, "a heat map leaves 0 to 1"),
        (float("nan"), 4, "a heat map leaves 0 to 1"),
        (0.5, 3, r"seen_bytes is a picture of \(3, 4, 1\)"),
    ],
)
def test_heat_maps_are_checked(heat: float, side: int, reason: str, tmp_path: Path) -> None:
    module, path = Explaining(heat, side), str(tmp_path / "model")
    signatures = {
        "serving_default": module.by_bytes,
        "serving_examples": module.by_examples,
        "explain": module.explain,
    }
    tf.saved_model.save(module, path, signatures=signatures)
    client = replay.Client(path)
    with pytest.raises(replay.CheckError, match=reason):
        client.explain([b"a film"])


def test_a_model_without_a_signature_is_refused(tmp_path: Path) -> None:
    module, path = Careless(), str(tmp_path / "model")
    tf.saved_model.save(module, path, signatures={"serving_default": module.by_bytes})
    found = _replay(path, golden(tmp_path / "golden", path))
    assert "no signature serving_examples" in found["refused"]


@pytest.mark.parametrize("name", ["components.shared.features", "tfx", "tensorflow_transform"])
def test_the_process_has_no_project_and_no_tfx(name: str) -> None:
    code = f"""
import runpy, sys
sys.argv = ["replay.py", "no model", "no golden.json"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
except FileNotFoundError:
    import {name}
"""
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{name.split('.')[0]} is not there in a server" in done.stderr


def test_the_warm_up_is_what_the_server_would_be_asked(finished_run: FinishedRun) -> None:
    model = tf.saved_model.load(model_of(finished_run))
    stamped = finished_run.nodes["ServingCheck"].output("infra_blessing").uri
    path = f"{stamped}/stamped_model/assets.extra/tf_serving_warmup_requests"
    seen = []
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        answer = model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        seen.append((name, answer["probability"].shape[0]))
    assert seen == [
        ("serving_default", 1),
        ("serving_examples", 1),
        ("serving_default", 8),
        ("serving_examples", 8),
    ]


@pytest.mark.parametrize("rows", [1, 3])
def test_an_answer_of_the_wrong_shape_is_refused(rows: int) -> None:
    answer = {
        name: tf.zeros([rows]) for name in ("probability", "threshold", "label", "model_version")
    }
    with pytest.raises(replay.CheckError, match="for 2 films"):
        replay.Client._read(answer, 2)
