"""What a run has pushed, served: the evaluator's probabilities, by every way to ask."""

import base64
import csv
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
import tensorflow as tf
from conftest import FinishedRun
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.films.errors import FilmError
from serving.client.servers import LocalModel
from support.films import encode, tiny_film
from support.served_model import Address, serving
from support.written_examples import example_of

FILMS = 8
# Of more pixels than the run has taken; see `conftest.TINY_SETTINGS`.
LARGE = encode(tiny_film(1, height=300, width=400))
REFUSAL = "has 400 x 300 pixels; at most 100000 are read"


@pytest.fixture(scope="module")
def films(finished_run: FinishedRun) -> dict[bytes, float]:
    """Films of the test split, and the evaluator's probability of each."""
    evaluation = Path(finished_run.nodes["YoudenEvaluator"].output("evaluation").uri)
    with (evaluation / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    return {
        (finished_run.data / row["file_name"]).read_bytes(): float(row["probability"])
        for row in rows[:: len(rows) // FILMS]
    }


def by_rest(address: Address, signature: str, name: str, values: list[bytes]) -> list[list[float]]:
    """Asks in both formats."""
    url = f"{address.http}/v1/models/pneumonia:predict"
    encoded = [{"b64": base64.b64encode(value).decode()} for value in values]

    def ask(content: dict[str, Any]) -> Any:
        body = json.dumps({"signature_name": signature, **content})
        return requests.post(url, body, timeout=60).json()

    rows = ask({"instances": [{name: value} for value in encoded]})["predictions"]
    return [
        [row["probability"] for row in rows],
        ask({"inputs": {name: encoded}})["outputs"]["probability"],
    ]


def by_grpc(address: Address, signature: str, name: str, values: list[bytes]) -> list[float]:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "pneumonia"
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    with grpc.insecure_channel(address.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return list(tf.make_ndarray(stub.Predict(request, timeout=60).outputs["probability"]))


def alone(run: FinishedRun, folder: Path) -> Path:
    """Returns a model with the run's version alone: later runs may have pushed others."""
    version = run.metrics["pushed_version"]
    model = folder / "pneumonia"
    model.mkdir()
    (model / version).symlink_to(run.output / "serving_model" / "pneumonia" / version)
    return model


def test_the_evaluators_probabilities(
    finished_run: FinishedRun, films: dict[bytes, float], tmp_path: Path
) -> None:
    expected = pytest.approx(list(films.values()), abs=1e-4)
    version = finished_run.metrics["pushed_version"]
    model = alone(finished_run, tmp_path)
    with serving(model) as address:
        for signature, name, values in (
            ("serving_default", "image_bytes", list(films)),
            ("serving_examples", "examples", [example_of(film) for film in films]),
            ("explain", "image_bytes", list(films)),
        ):
            for found in by_rest(address, signature, name, values):
                assert found == expected
            assert by_grpc(address, signature, name, values) == expected
        readings = [
            requests.post(f"{address.http}/readings", film, timeout=60).json() for film in films
        ]
        assert [reading["probability"] for reading in readings] == expected
        assert {reading["model_version"] for reading in readings} == {version}
        assert requests.get(f"{address.http}/about", timeout=30).json()["threshold"] == (
            pytest.approx(finished_run.metrics["threshold"], abs=1e-6)
        )


def test_the_runs_limits_hold_wherever_its_model_is_asked(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    model = alone(finished_run, tmp_path)
    with pytest.raises(FilmError, match=REFUSAL):
        LocalModel(model).ask(LARGE)
    with serving(model) as address:
        response = requests.post(f"{address.http}/readings", LARGE, timeout=60)
        assert (response.status_code, response.json()["error"]) == (400, f"Film 0 {REFUSAL}.")
        with pytest.raises(grpc.RpcError, match=REFUSAL):
            by_grpc(address, "serving_default", "image_bytes", [LARGE])
        with pytest.raises(grpc.RpcError, match=REFUSAL):
            by_grpc(address, "serving_examples", "examples", [example_of(LARGE)])
