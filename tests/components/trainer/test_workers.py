import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import FinishedRun

from components.shared.errors import InputError
from components.shared.features import IMAGE_BYTES, PROBABILITY, SIGNATURE_BYTES
from components.trainer.settings import Augmentation, RunSettings
from components.trainer.workers import (
    check_batch,
    from_chief,
    is_chief,
    strategy_for,
    worker_name,
)
from support.films import encode, tiny_film
from support.ports import two_workers

# What TFX's Trainer does, in a process of its own.
WORKER = """
import json, sys
from tfx.components.trainer.fn_args_utils import FnArgs
from components.trainer.run_fn import run_fn
given = json.loads(sys.argv[1])
fields = {field.name: None for field in FnArgs.__attrs_attrs__}
run_fn(FnArgs(**{**fields, **given}))
"""
SETTINGS = RunSettings(
    backbone="",
    input_size=32,
    seed=3,
    epochs=2,
    batch_size=8,
    learning_rate=0.01,
    dense_units=None,
    dropout=0.0,
    patience=2,
    views=None,
    augmentation=Augmentation(rotation=5.0, shift=0.0, zoom=0.0, flip=True, min_area=0.5),
    work_dir="",
    crop=0.75,
    target="subtype",
    fine_tune="second",
    schedule="cosine",
    weight_decay=0.001,
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("net") / "net.keras")
    keras.utils.set_random_seed(1)
    colour = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(8, 5, strides=2, activation="relu", name="first")(colour)
    x = keras.layers.Conv2D(8, 3, strides=2, name="second")(x)
    keras.Model(colour, keras.layers.ReLU()(x), name="resnet50").save(path)
    return path


def train(run: FinishedRun, settings: RunSettings, folder: Path, clusters: Sequence[str]) -> None:
    """Trains on a run's transformed Examples, one process for each TF_CONFIG."""
    transform = run.nodes["Transform"]
    examples = transform.output("transformed_examples").uri
    workers = []
    for number, cluster in enumerate(clusters):
        given = {
            "train_files": [f"{examples}/Split-train/*"],
            "eval_files": [f"{examples}/Split-eval/*"],
            "transform_graph_path": transform.output("transform_graph").uri,
            "serving_model_dir": str(folder / f"model-{number}"),
            "model_run_dir": str(folder / f"run-{number}"),
            "custom_config": settings.changed(work_dir=str(folder / "work")).model_dump(),
        }
        environment = {**os.environ, **({"TF_CONFIG": cluster} if cluster else {})}
        command = [sys.executable, "-c", WORKER, json.dumps(given)]
        workers.append(subprocess.Popen(command, env=environment))
    assert [worker.wait(timeout=300) for worker in workers] == [0] * len(clusters)


def probabilities(model: Path) -> np.ndarray:
    films = [encode(tiny_film(number, pneumonia=number % 2 == 1)) for number in range(6)]
    loaded = tf.saved_model.load(str(model))
    answer = loaded.signatures[SIGNATURE_BYTES](**{IMAGE_BYTES: tf.constant(films)})
    return np.asarray(answer[PROBABILITY])


def test_two_workers_train_as_one(finished_run: FinishedRun, backbone: str, tmp_path: Path) -> None:
    settings = SETTINGS.changed(backbone=backbone)
    train(finished_run, settings, tmp_path / "one", [""])
    distributed = settings.changed(distribution="multi_worker")
    train(finished_run, distributed, tmp_path / "two", two_workers())
    alone, together = (probabilities(tmp_path / name / "model-0") for name in ("one", "two"))
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.ptp(alone) > 1e-3
    # The chief alone exports, and the work of both is cleared away.
    assert not (tmp_path / "two" / "model-1").exists()
    assert list((tmp_path / "two" / "work").iterdir()) == []


# Trains a head of which each worker has an opinion of its own.
DECIDER = """
import json, sys
import numpy as np
import tensorflow as tf
from components.trainer import frozen, training, unfinished
from components.trainer.model import build_head, compiled
from components.trainer.workers import is_chief, strategy_for
from support.tiny_training import SETTINGS
folder = sys.argv[1]
settings = SETTINGS.changed(epochs=3, patience=1, views=None, batch_size=4)
strategy = strategy_for("multi_worker")
with strategy.scope():
    first = is_chief()
    frozen.faster_precision = lambda _: "bfloat16" if first else "float32"
    precision = unfinished.kept_precision(folder, "auto")
    head = compiled(build_head(2, 1, settings), settings, 3)
    # The chief's gets better in every epoch, the other's never.
    right = iter([[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    scores = (lambda: np.array(next(right))) if first else (lambda: np.zeros(4))
    batch = (np.ones((4, 2), np.float32), np.float32([[0], [1], [0], [1]]))
    data = lambda epoch: tf.data.Dataset.from_tensors(batch)
    labels = np.array([0, 0, 0, 1]) if first else np.array([0, 1, 1, 1])
    lines = training.fit_epochs(head, data, scores, labels, settings, folder, folder + "/logs")
print(json.dumps([precision, lines]))
"""


def test_the_chief_decides_for_all(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", DECIDER, str(tmp_path)],
            env={**os.environ, "TF_CONFIG": cluster, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for cluster in two_workers()
    ]
    try:
        said = [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert said[0] == said[1]
    precision, lines = said[0]
    assert precision == "bfloat16"
    # Two normal films of three, one, and none score as high as the one with pneumonia.
    assert [line[-1] for line in lines] == pytest.approx([2 / 3, 5 / 6, 1.0])


@pytest.mark.parametrize("replicas", [1, 2, 4, 8])
def test_replicas_that_share_a_batch_equally(
    monkeypatch: pytest.MonkeyPatch, replicas: int
) -> None:
    strategy = SimpleNamespace(num_replicas_in_sync=replicas)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    check_batch(8)


def test_replicas_that_do_not_divide_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = SimpleNamespace(num_replicas_in_sync=3)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    with pytest.raises(InputError, match=r"^trainer\.batch_size is 8, which the 3 devices"):
        check_batch(8)


def test_alone_the_own_values_are_the_chiefs() -> None:
    assert from_chief([0.1, math.inf]) == [0.1, math.inf]
    assert math.isnan(from_chief([math.nan])[0])


def test_multi_worker_needs_to_know_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="no TF_CONFIG"):
        strategy_for("multi_worker")


def test_a_process_that_has_computed_before_cannot_join(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.constant(1.0) + 1.0
    monkeypatch.setenv("TF_CONFIG", two_workers()[0])
    with pytest.raises(InputError, match="a process of its own"):
        strategy_for("multi_worker")


def test_alone_this_process_is_the_chief() -> None:
    assert strategy_for("none").num_replicas_in_sync == 1
    assert is_chief()
    assert worker_name() == "worker-0"
