import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from conftest import TINY_LAYOUT, TINY_SETTINGS, FinishedRun, cxr_run
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)
from tfx.utils import path_utils

from components.evaluator import inference
from components.evaluator.blanking import encode_png
from components.evaluator.changes import CHANGES
from components.evaluator.correlations import sharpness
from components.evaluator.predictions import Prediction
from components.evaluator.settings import Gate
from components.evaluator.stress import choose_films
from components.films.picture import decode_grey
from components.shared.artifacts import SLICES
from components.shared.lineage import latest_run
from components.shared.nodes import NODES
from components.shared.statistics.tally import log_odds
from pipeline.cli import main
from support.films import film_name, write_films
from support.written_examples import example_of

# Those that the report tells of: all but its own, which never comes from the cache.
TIMED = list(NODES[:-1])


def metrics_of(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "report" / "metrics.json").read_text())
    return content


def versions(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "serving_model" / "pneumonia").iterdir())


def predictions(run: FinishedRun, split: str) -> list[dict[str, str]]:
    folder = run.nodes["YoudenEvaluator"].output("evaluation").uri
    with open(f"{folder}/predictions.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def test_a_model_is_pushed(finished_run: FinishedRun) -> None:
    metrics = finished_run.metrics
    assert finished_run.status == 0
    assert metrics["pushed"] is True
    assert versions(finished_run.output) == [metrics["pushed_version"]]
    assert list(metrics["timings"]) == TIMED
    assert all(seconds > 0 for seconds in metrics["timings"].values())
    assert metrics["timings"]["Trainer"] > metrics["timings"]["SchemaGen"]
    assert metrics["cached"] == []
    assert all(verdict["passed"] for verdict in metrics["gate"].values())
    model = Path(metrics["model_path"])
    assert (model / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert (finished_run.output / "config.yaml").read_text().startswith("seed: 1\n")


def test_the_metrics_are_those_of_the_written_predictions(finished_run: FinishedRun) -> None:
    metrics = finished_run.metrics
    rows = predictions(finished_run, "test")
    assert len(rows) == 24
    labels = np.array([int(row["label"]) for row in rows])
    scores = np.array([float(row["probability"]) for row in rows])
    tn, fp, fn, tp = confusion_matrix(labels, scores >= metrics["threshold"]).ravel()
    assert metrics["confusion_matrix"] == {"tn": tn, "fp": fp, "fn": fn, "tp": tp}
    assert metrics["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert metrics["loss"] == pytest.approx(log_loss(labels, scores))
    assert metrics["recall"] == pytest.approx(tp / (tp + fn))
    assert metrics["specificity"] == pytest.approx(tn / (tn + fp))
    low, high = metrics["intervals"]["recall"]
    assert low <= metrics["recall"] <= high
    assert metrics["average_precision"] == pytest.approx(average_precision_score(labels, scores))
    balanced = balanced_accuracy_score(labels, scores >= metrics["threshold"])
    assert metrics["balanced_accuracy"] == pytest.approx(balanced)
    assert metrics["calibration"]["brier"] == pytest.approx(brier_score_loss(labels, scores))


def test_the_films_facts_are_in_the_predictions_and_measured(finished_run: FinishedRun) -> None:
    rows = predictions(finished_run, "test")
    assert list(rows[0]) == [
        *("split", "file_name", "patient", "label", "subtype"),
        *("width", "height", "mean", "bytes", "sharpness", "probability"),
    ]
    for row in rows:
        data = (finished_run.data / row["file_name"]).read_bytes()
        assert (row["width"], row["height"], row["bytes"]) == ("48", "40", str(len(data)))
        assert float(row["mean"]) == pytest.approx(decode_grey(data).mean() / 255, abs=0.01)
        assert float(row["sharpness"]) == pytest.approx(sharpness(decode_grey(data)))
    labels = [int(row["label"]) for row in rows]
    controls = finished_run.metrics["controls"]
    assert controls["aspect_ratio"]["auc"] == 0.5  # all films are of one size
    brightness = roc_auc_score(labels, [float(row["mean"]) for row in rows])
    assert controls["mean_brightness"]["auc"] == pytest.approx(max(brightness, 1 - brightness))
    assert 0.0 <= controls["lungs_blanked"]["auc"] <= 1.0
    assert list(finished_run.metrics["slices"]["image_size"]) == ["middle"]


def test_the_log_odds_are_held_against_the_films_facts(finished_run: FinishedRun) -> None:
    found = finished_run.metrics["correlations"]["PNEUMONIA"]
    rows = [row for row in predictions(finished_run, "test") if row["label"] == "1"]
    odds = log_odds([float(row["probability"]) for row in rows])
    for feature, column in (
        ("file_size", "bytes"),
        ("mean_brightness", "mean"),
        ("sharpness",) * 2,
    ):
        values = [float(row[column]) for row in rows]
        assert found[feature]["r"] == pytest.approx(np.corrcoef(values, odds)[0, 1], abs=1e-4)
    assert found["aspect_ratio"]["r"] is None  # all films are of one size


@pytest.mark.parametrize("split", ["eval", "test"])
def test_changed_films_are_read_at_the_threshold(finished_run: FinishedRun, split: str) -> None:
    metrics = finished_run.metrics
    found = metrics["stress"][split]
    # Four of each class, of a film a patient.
    assert (found["films"], found["patients"]) == (8, 8)
    rows = predictions(finished_run, split)
    of_split = inference.of_split(
        [
            Prediction(
                **{
                    **{
                        name: kind(row[name])
                        for name, kind in Prediction.__annotations__.items()
                        if name != "threshold"
                    },
                    "threshold": 0.5,
                }
            )
            for row in rows
        ],
        split,
    )
    chosen = of_split.rows(choose_films(of_split.patients, of_split.labels, 4, seed=1))
    trained = path_utils.serving_model_path(finished_run.nodes["Trainer"].output("model").uri)
    serve = tf.saved_model.load(trained).signatures["serving_examples"]
    films = [decode_grey((finished_run.data / name).read_bytes()) for name in chosen.file_names]
    assert len(found["changes"]) == len(CHANGES)
    for change, measured in zip(CHANGES, found["changes"], strict=True):
        assert (measured["kind"], measured["strength"]) == (change.kind, change.strength)
        data = [example_of(encode_png(change.apply(film))) for film in films]
        scores = serve(examples=tf.constant(data))["probability"].numpy()
        balanced = balanced_accuracy_score(
            chosen.labels, scores >= np.float32(metrics["threshold"])
        )
        assert measured["balanced_accuracy"] == pytest.approx(balanced)
        assert measured["auc"] == pytest.approx(roc_auc_score(chosen.labels, scores))
    bound = metrics["gate"]["stressed_balanced_accuracy"]
    assert bound["value"] == metrics["stress"]["test"]["lowest"]
    assert bound["value"] == min(
        change["balanced_accuracy"] for change in metrics["stress"]["test"]["changes"]
    )


def test_no_film_is_in_two_splits(finished_run: FinishedRun) -> None:
    none = {"train/eval": 0, "train/test": 0, "eval/test": 0}
    assert finished_run.metrics["overlap"] == {"patients": none, "images": none}


def test_tfma_reads_its_results_and_agrees(finished_run: FinishedRun) -> None:
    result = tfma.load_eval_result(finished_run.nodes["YoudenEvaluator"].output("evaluation").uri)
    metrics = finished_run.metrics
    by_slice = {key: values[""][""] for key, values in result.slicing_metrics}
    overall = by_slice[()]
    assert overall["example_count"]["doubleValue"] == 24
    assert overall["recall"]["doubleValue"] == pytest.approx(metrics["recall"])
    assert overall["specificity"]["doubleValue"] == pytest.approx(metrics["specificity"])
    assert overall["auc"]["doubleValue"] == pytest.approx(metrics["auc"], abs=0.01)
    for kind in SLICES:
        for cohort, expected in metrics["slices"][kind].items():
            found = by_slice[((kind, cohort),)]
            assert found["example_count"]["doubleValue"] == expected["films"]
            assert found["recall"]["doubleValue"] == pytest.approx(expected["recall"])
            assert found["auc"]["doubleValue"] == pytest.approx(expected["auc"], abs=0.02)


def test_the_pushed_model_answers_as_the_evaluator_measured(finished_run: FinishedRun) -> None:
    metrics = finished_run.metrics
    model = tf.saved_model.load(metrics["model_path"])
    rows = predictions(finished_run, "test")
    films = [(finished_run.data / row["file_name"]).read_bytes() for row in rows]
    answer = model.signatures["serving_default"](image_bytes=tf.constant(films))
    expected = np.array([float(row["probability"]) for row in rows])
    np.testing.assert_allclose(answer["probability"], expected, atol=1e-6)
    np.testing.assert_array_equal(answer["threshold"], np.float32(metrics["threshold"]))
    wanted = np.where(expected >= metrics["threshold"], b"PNEUMONIA", b"NORMAL")
    assert answer["label"].numpy().tolist() == wanted.tolist()
    version = str(metrics["pushed_version"]).encode()
    assert set(answer["model_version"].numpy().tolist()) == {version}


def test_what_was_put_aside_is_listed(finished_run: FinishedRun) -> None:
    text = (finished_run.output / "report" / "quarantine.csv").read_text()
    assert text.splitlines()[1] == 'train/NORMAL/broken.jpeg,"is neither JPEG, PNG nor DICOM"'
    assert "train/NORMAL/broken.jpeg" in finished_run.page


def test_the_report_can_be_made_again_from_the_folder(finished_run: FinishedRun) -> None:
    page = finished_run.output / "report" / "report.html"
    page.unlink()
    assert main(["report", str(finished_run.output)]) == 0
    assert page.read_text() == finished_run.page


# From here on, runs follow one another in the same folder.


def test_the_same_again_comes_from_the_cache(finished_run: FinishedRun) -> None:
    assert cxr_run(finished_run.data, finished_run.output) == 0
    metrics = metrics_of(finished_run.output)
    assert metrics["cached"] == TIMED
    run = latest_run(str(finished_run.output / "metadata.sqlite"))
    assert list(run) == list(NODES)
    assert run["Reporter"].state == "COMPLETE"
    content = json.loads((finished_run.output / "report" / "content.json").read_text())
    assert {row["node"]: row["execution"] for row in content["lineage"]} == {
        node: run[node].execution for node in TIMED
    }
    assert metrics["pushed_version"] == finished_run.metrics["pushed_version"]
    assert len(metrics["data_fingerprint"]) == 64
    assert metrics["data_fingerprint"] == finished_run.metrics["data_fingerprint"]
    assert versions(finished_run.output) == [metrics["pushed_version"]]


def test_another_bound_runs_what_depends_on_it(finished_run: FinishedRun) -> None:
    assert cxr_run(finished_run.data, finished_run.output, "evaluator.gate.recall=0.6") == 0
    metrics = metrics_of(finished_run.output)
    assert metrics["cached"] == TIMED[:6]
    assert metrics["gate"]["recall"]["bound"] == 0.6


def test_a_model_is_served_again_where_the_folder_was_emptied(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    served = finished_run.output / "serving_model" / "pneumonia"
    served.rename(tmp_path / "before")
    assert cxr_run(finished_run.data, finished_run.output) == 0
    assert metrics_of(finished_run.output)["cached"] == TIMED[:-1]
    assert len(versions(finished_run.output)) == 1
    # Other tests ask the version that was pushed first.
    for version in (tmp_path / "before").iterdir():
        version.rename(served / version.name)


def test_a_model_of_wrong_labels_is_refused_and_the_champion_stays(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    before = versions(finished_run.output)
    data = write_films(tmp_path / "chest_xray", TINY_LAYOUT)
    for folder in (data / "train", data / "val"):
        (folder / "NORMAL").rename(folder / "other")
        (folder / "PNEUMONIA").rename(folder / "NORMAL")
        (folder / "other").rename(folder / "PNEUMONIA")
    assert cxr_run(data, finished_run.output) == 3
    metrics = metrics_of(finished_run.output)
    assert metrics["cached"] == ["SchemaGen"]
    assert metrics["pushed"] is False
    assert metrics["champion"]["version"] == before[-1]
    assert not metrics["gate"]["auc"]["passed"]
    assert not metrics["gate"]["champion_auc"]["passed"]
    assert versions(finished_run.output) == before
    # A model that learned the labels the wrong way round misreads many.
    matrix = metrics["confusion_matrix"]
    assert [shown["kind"] for shown in metrics["errors"]] == [
        *["miss"] * min(6, matrix["fn"]),
        *["false alarm"] * min(6, matrix["fp"]),
    ]
    assert metrics["errors"]
    run = latest_run(str(finished_run.output / "metadata.sqlite"))
    folder = Path(run["YoudenEvaluator"].output("evaluation").uri)
    for shown in metrics["errors"]:
        # What the net saw, not the film.
        assert decode_grey((folder / shown["picture"]).read_bytes()).shape == (32, 32)
        heat = np.array(shown["heatmap"])
        assert heat.min() >= 0.0
        assert heat.max() in (0.0, 1.0)


def test_a_killed_training_goes_on(
    finished_run: FinishedRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    longer = ("trainer.epochs=40", "trainer.patience=40")
    output = tmp_path / "run"
    command = [sys.executable, "-m", "pipeline.cli", "run", "--config", "seed"]
    command += [
        "--data",
        str(finished_run.data),
        "--output",
        str(output),
        *(f"--set={s}" for s in (*TINY_SETTINGS, *longer)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240
        while not (found := list(output.glob("artifacts/Trainer/unfinished/*/history.json"))):
            assert process.poll() is None, (output / "run.log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = json.loads(found[0].read_text())
    assert 1 <= len(done) < 40
    assert not (output / "serving_model").exists()

    assert cxr_run(finished_run.data, output, *longer) in (0, 3)
    metrics = metrics_of(output)
    assert metrics["cached"] == TIMED[:5]
    run = latest_run(str(output / "metadata.sqlite"))
    history = json.loads(Path(run["Trainer"].output("model_run").uri, "history.json").read_text())
    assert history[: len(done)] == done
    assert len(history) == 40
    assert f"Training goes on after epoch {len(done) - 1}," in caplog.text
    assert os.listdir(output / "artifacts" / "Trainer" / "unfinished") == []


def test_the_default_recipe_tunes_the_net_and_sees_the_middle(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    settings = (
        "transform.input_size=48",
        "trainer.backbone=none",
        "trainer.epochs=2",
        "trainer.batch_size=8",
        "trainer.train_size=48",
        "evaluator.bootstrap_resamples=100",
        "evaluator.stress_films=2",
        *(f"evaluator.gate.{name}=null" for name in Gate.model_fields),
    )
    arguments = ["run", "--data", str(finished_run.data), "--output", str(tmp_path / "run")]
    assert main([*arguments, *(f"--set={setting}" for setting in settings)]) == 0
    metrics = metrics_of(tmp_path / "run")
    assert metrics["pushed"] is True
    kept = metrics["counts"]["kept"]["train"]
    assert kept["PNEUMONIA"] > kept["NORMAL"]
    model = tf.saved_model.load(metrics["model_path"])
    # 87.5 % of 48 pixels.
    film = (finished_run.data / "test" / "NORMAL" / film_name("test", "NORMAL", 0)).read_bytes()
    answer = model.signatures["explain"](image_bytes=tf.constant([film]))
    assert tf.io.decode_png(answer["seen_bytes"][0]).shape == (42, 42, 1)
