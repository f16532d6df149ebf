"""The Beam nodes make the same on every runner that this machine has."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import cv2
import pytest
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.evaluator import inference, overlap, tfma_results
from components.evaluator.blanking import blank_centre
from components.evaluator.changes import mirrored
from components.evaluator.predictions import Prediction, Predictions
from components.example_gen.executor import Executor as ChestXrayExampleGen
from components.example_validator.executor import schema_path
from components.shared.features import EVAL, SPLITS, TEST
from pipeline.config import load_config
from pipeline.graph import SCHEMA_FILE, example_gen_settings
from pipeline.runners.beam import beam_args, put_python_first
from support import served_model
from support.films import write_films
from support.ports import free_ports
from support.written_examples import read_examples

ROOT = Path(__file__).parents[3]
LAYOUT = {
    "train": {"NORMAL": 20, "PNEUMONIA": 50},
    "val": {"NORMAL": 2, "PNEUMONIA": 2},
    "test": {"NORMAL": 5, "PNEUMONIA": 7},
}


class Films(NamedTuple):
    """What the nodes begin with.

    Attributes:
        data: a data set.
        model: a SavedModel's folder.
        schema: the folder of the schema.
    """

    data: Path
    model: Path
    schema: Path


class Made(NamedTuple):
    """What the nodes made of the same films.

    Attributes:
        manifest: each file's fate.
        examples: by split, the serialized Examples by file name.
        statistics: by split, their number of films and the statistics by feature.
        predictions: of the films of eval and test.
        overlap: how many patients and films two splits share.
        metrics: TFMA's, by slice, of scores that are always the same.
    """

    manifest: list[str]
    examples: dict[str, dict[str, bytes]]
    statistics: dict[str, tuple[int, dict[str, FeatureNameStatistics]]]
    predictions: list[Prediction]
    overlap: dict[str, dict[str, int]]
    metrics: dict[Any, Any]


def make(films: Films, folder: Path, *settings: str) -> Made:
    """Runs the nodes as a configuration's section `beam` says."""
    config = load_config("seed", [f"beam.{setting}" for setting in settings])
    args = beam_args(config.beam)
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(args), tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    statistics = artifact(standard_artifacts.ExampleStatistics, folder / "statistics")
    schema = artifact(standard_artifacts.Schema, films.schema)
    ChestXrayExampleGen(context).Do(
        {},
        {"examples": [examples]},
        {"data": str(films.data), "settings": example_gen_settings(config).model_dump_json()},
    )
    pipeline = Pending(argv=args)
    context.make_beam_pipeline_fn = lambda: pipeline
    StatisticsGen(context).Do(
        {"examples": [examples], "schema": [schema]}, {"statistics": [statistics]}, {}
    )
    evaluate(pipeline, films.model, folder)
    pipeline.run().wait_until_finish()
    return Made(
        manifest=sorted(
            line
            for path in (folder / "examples").glob("manifest-*")
            for line in path.read_text().splitlines()
        ),
        examples={split: read_examples(folder / "examples", split) for split in SPLITS},
        statistics={split: read_statistics(folder, split) for split in SPLITS},
        predictions=inference.read_predictions(str(folder / "predictions-*")),
        overlap=overlap.read_overlap(str(folder / "overlap-*")),
        metrics={
            key: values[""][""]
            for key, values in tfma.load_eval_result(str(folder / "tfma")).slicing_metrics
        },
    )


def artifact(kind: Any, folder: Path) -> Any:
    made = kind()
    made.uri = str(folder)
    return made


class Pending(beam.Pipeline):
    """A pipeline that several nodes add to; workers start once for all of them."""

    def __exit__(self, *raised: object) -> None:
        """Does not run it."""


def evaluate(pipeline: beam.Pipeline, model: Path, folder: Path) -> None:
    """Adds the evaluator's Beam steps."""
    splits = {split: str(folder / "examples" / f"Split-{split}") for split in SPLITS}
    passes = [
        inference.Pass(splits[EVAL], {EVAL: None}),
        inference.Pass(splits[TEST], {"blanked": blank_centre, "mirrored": mirrored}),
    ]
    _ = (
        pipeline
        | "Predict" >> inference.Predict(str(model), passes)
        | "WritePredictions" >> beam.io.WriteToText(str(folder / "predictions"))
    )
    _ = (
        pipeline
        | "Overlap" >> overlap.CountOverlap(splits)
        | "WriteOverlap" >> beam.io.WriteToText(str(folder / "overlap"))
    )
    tfma_results.write_results(pipeline, scored(), 0.5, str(folder / "tfma"))


def scored() -> Predictions:
    """Sixteen films, whose scores rise from 0.05 in steps of 0.06, two of them misread at 0.5."""
    rows = [
        Prediction(
            split=TEST,
            file_name=f"film {number}",
            patient=f"person{number}_virus",
            label=int(number in (5, 8, 9, 11, 12, 13, 14, 15)),
            subtype="virus" if number % 2 else "bacteria",
            width=48,
            height=40,
            mean=0.5,
            bytes=1000,
            sharpness=9.0,
            probability=0.05 + 0.06 * number,
            threshold=0.5,
        )
        for number in range(16)
    ]
    return inference.of_split(rows, TEST)


def read_statistics(folder: Path, split: str) -> tuple[int, dict[str, FeatureNameStatistics]]:
    path = folder / "statistics" / f"Split-{split}" / "FeatureStats.pb"
    (found,) = tfdv.load_stats_binary(str(path)).datasets
    for feature in found.features:
        if feature.HasField("num_stats"):
            # Sums of another order differ in the last digit.
            for name in ("mean", "std_dev"):
                value = round(getattr(feature.num_stats, name), 12)
                setattr(feature.num_stats, name, value)
    # They come in any order.
    return found.num_examples, {feature.path.step[0]: feature for feature in found.features}


@pytest.fixture(scope="module", autouse=True)
def this_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.environ["PATH"])
        put_python_first()
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder = tmp_path_factory.mktemp("films")
    data = write_films(folder / "chest_xray", LAYOUT)
    (data / "train" / "NORMAL" / "broken.jpeg").write_bytes(b"no film")
    (folder / "schema").mkdir()
    shutil.copy(schema_path(SCHEMA_FILE), folder / "schema")
    return Films(data, served_model.save(folder / "model", 1), folder / "schema")


@pytest.fixture(scope="module")
def in_memory(films: Films, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(films, tmp_path_factory.mktemp("in_memory"))


@contextmanager
def listening(module: str, option: str) -> Iterator[str]:
    """Runs a server of Beam's; it ends with the block, and so do the workers that it started."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", module, f"{option}={port}"]
    # Not stopped by a signal to pytest's own group, but for certain at the end of the block.
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as server:
        try:
            served_model.wait_until(lambda: is_open(port))
            yield f"localhost:{port}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def job_service() -> Iterator[str]:
    # By this name workers are told of the service; if it leads nowhere, the job never ends.
    socket.getaddrinfo(socket.getfqdn(), None)
    with listening("apache_beam.runners.portability.local_job_service_main", "--port") as address:
        yield address


@pytest.fixture(scope="module")
def worker_pool() -> Iterator[str]:
    with listening("apache_beam.runners.worker.worker_pool_main", "--service_port") as address:
        yield address


def assert_same(made: Made, expected: Made) -> None:
    for field in Made._fields:
        assert getattr(made, field) == getattr(expected, field), field


def test_in_memory(films: Films, in_memory: Made) -> None:
    # Of 22 normals and 52 pneumonias 15 % at least to eval, and as many of both to train.
    counts = {"train": 18 + 18, "eval": 4 + 8, "test": 5 + 7}
    assert {split: len(found) for split, found in in_memory.examples.items()} == counts
    assert {split: number for split, (number, _) in in_memory.statistics.items()} == counts
    assert len(in_memory.manifest) == 20 + 50 + 2 + 2 + 5 + 7 + 1
    assert in_memory.statistics["test"][1]["width"].num_stats.mean == 48
    found = Counter(row.split for row in in_memory.predictions)
    assert found == {EVAL: 12, "blanked": 12, "mirrored": 12}
    for row in in_memory.predictions:
        film = cv2.imread(str(films.data / row.file_name), cv2.IMREAD_GRAYSCALE)
        assert row.mean == pytest.approx(film.mean() / 255, abs=1e-3)
        # The model's answer, where the middle of the film is not blanked.
        if row.split != "blanked":
            assert row.probability == pytest.approx(row.mean, abs=0.01)
    overall = in_memory.metrics[()]
    assert overall["example_count"]["doubleValue"] == 16
    assert overall["recall"]["doubleValue"] == 7 / 8
    assert overall["specificity"]["doubleValue"] == 7 / 8


def test_two_processes(films: Films, in_memory: Made, tmp_path: Path) -> None:
    assert_same(make(films, tmp_path, "workers=2"), in_memory)


def test_workers_beside_a_node(
    films: Films, in_memory: Made, job_service: str, tmp_path: Path
) -> None:
    made = make(films, tmp_path, "runner=portable", f"endpoint={job_service}", "workers=2")
    assert_same(made, in_memory)


def test_workers_of_a_pool(
    films: Films, in_memory: Made, job_service: str, worker_pool: str, tmp_path: Path
) -> None:
    pool = ("environment=external", f"pool={worker_pool}")
    made = make(films, tmp_path, "runner=portable", f"endpoint={job_service}", *pool)
    assert_same(made, in_memory)
