"""Fixtures for all tests."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.films import Layout, write_films

if TYPE_CHECKING:
    from support.object_store import Server, Store
    from support.served_model import Address

# Before TensorFlow is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

MakeData = Callable[[Layout], Path]

TINY_LAYOUT = {
    "train": {"NORMAL": 24, "PNEUMONIA": 40},
    "val": {"NORMAL": 2, "PNEUMONIA": 2},
    "test": {"NORMAL": 10, "PNEUMONIA": 14},
}
TINY_SETTINGS = (
    "transform.input_size=32",
    "trainer.backbone=none",
    "trainer.epochs=30",
    "trainer.patience=30",
    "trainer.views=2",
    "trainer.batch_size=8",
    "trainer.normalize_features=true",
    # `auto` measures the machine, which says something else when it is busy.
    "trainer.precision=float32",
    "example_gen.eval_fraction=0.25",
    # It travels with the model.
    "example_gen.max_pixels=100000",
    "evaluator.bootstrap_resamples=200",
    "evaluator.stress_films=4",
    "evaluator.gate.stressed_balanced_accuracy=0.0",
    "evaluator.gate.films=10",
    "evaluator.gate.patients=10",
)


class FinishedRun(NamedTuple):
    """A run of the whole pipeline on tiny films, as it was when it ended.

    Attributes:
        data: its data set.
        output: its folder, in which later runs may have followed.
        status: its exit status.
        metrics: its metrics.json.
        nodes: its lineage.
        page: its report.
    """

    data: Path
    output: Path
    status: int
    metrics: dict[str, Any]
    nodes: dict[str, Any]
    page: str


@pytest.fixture
def make_data(tmp_path: Path) -> MakeData:
    """Makes a data set in a folder of the test's own."""
    return lambda layout: write_films(tmp_path / "chest_xray", layout)


def cxr_run(data: Path, output: Path, *settings: str) -> int:
    """Runs `cxr run` in this process with the tiny settings and `settings`."""
    from pipeline.cli import main

    overrides = [f"--set={setting}" for setting in (*TINY_SETTINGS, *settings)]
    folders = ["--data", str(data), "--output", str(output)]
    return main(["run", "--config", "seed", *folders, *overrides])


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Runs the pipeline once for all tests that look at what came of it."""
    folder = tmp_path_factory.mktemp("finished")
    data = write_films(folder / "chest_xray", TINY_LAYOUT)
    (data / "train" / "NORMAL" / "broken.jpeg").write_bytes(b"no film")
    output = folder / "run"
    status = cxr_run(data, output)
    from components.shared.lineage import latest_run

    return FinishedRun(
        data,
        output,
        status,
        json.loads((output / "report" / "metrics.json").read_text()),
        latest_run(str(output / "metadata.sqlite")),
        (output / "report" / "report.html").read_text(),
    )


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `server` serves, with version 7 in it."""
    from support.served_model import save

    folder = tmp_path_factory.mktemp("pushed") / "pneumonia"
    save(folder, 7)
    return folder


@pytest.fixture(scope="session")
def server(served_folder: Path) -> "Iterator[Address]":
    """A server for all tests that only ask it."""
    from support.served_model import serving

    with serving(served_folder) as address:
        yield address


@pytest.fixture(scope="session")
def store_server() -> "Iterator[Server]":
    """An object store that listens."""
    from support.object_store import Server

    with Server() as server:
        yield server


@pytest.fixture
def store(store_server: "Server", monkeypatch: pytest.MonkeyPatch) -> Iterator["Store"]:
    """A store with the empty bucket `models`, which the variables of the environment name."""
    from support import object_store
    from support.object_store import Store

    monkeypatch.setenv("AWS_ENDPOINT_URL", store_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.SECRET)
    store = Store(store_server.url)
    store.client.create_bucket(Bucket="models")
    yield store
    for key in store.objects("models"):
        store.client.delete_object(Bucket="models", Key=key)
    store.client.delete_bucket(Bucket="models")
