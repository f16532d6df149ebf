"""The same film has the same probability, in whatever file it is and by whatever door it comes."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
import tensorflow as tf
from conftest import FinishedRun, MakeData

from components.evaluator.inference import PredictFn
from components.example_gen.settings import RunSettings
from components.films.dicom import is_dicom
from components.films.picture import decode_grey
from components.films.reader import plain
from components.shared.limits import FilmLimits
from serving.client.client import Client
from serving.client.servers import LocalModel, connect
from support.films import encode, tiny_film
from support.forms import forms, one_film
from support.ingestion import ingest
from support.served_model import Address, serving
from support.written_examples import example_of

LAYOUT = {"train": {"NORMAL": 4, "PNEUMONIA": 4}, "test": {"NORMAL": 1, "PNEUMONIA": 1}}
FORMS = forms()
PICTURES = {name: data for name, data in FORMS.items() if not is_dicom(data)}


@pytest.fixture(scope="module")
def model(finished_run: FinishedRun) -> Path:
    """The folder of the run's version."""
    version = finished_run.metrics["pushed_version"]
    return finished_run.output / "serving_model" / "pneumonia" / version


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    folder = tmp_path_factory.mktemp("one_film") / "pneumonia"
    folder.mkdir()
    (folder / model.name).symlink_to(model)
    with serving(folder) as address:
        yield address


@pytest.fixture(scope="module")
def probability(model: Path) -> float:
    """The film's, as the signature answers for its pixels."""
    loaded = tf.saved_model.load(str(model))
    films = [encode(one_film()[1], ".png"), encode(tiny_film(12), ".png")]
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(films))
    ours, another = (float(value) for value in answer["probability"])
    assert abs(ours - another) > 0.01  # it is of the film
    return ours


def same(found: Mapping[str, float], probability: float) -> None:
    assert {name: value for name, value in found.items() if abs(value - probability) > 1e-4} == {}


def test_every_form_is_the_film() -> None:
    assert len(FORMS) >= 20
    assert len(set(FORMS.values())) == len(FORMS)
    film = one_film()[1]
    others = {
        name
        for name, data in FORMS.items()
        if (decode_grey(plain(data, FilmLimits())) != film).any()
    }
    assert others == set()


def test_by_ingestion_and_the_evaluator(
    make_data: MakeData, tmp_path: Path, model: Path, probability: float
) -> None:
    data = make_data(LAYOUT)
    for name, film in FORMS.items():
        (data / "test" / "PNEUMONIA" / name).write_bytes(film)
    settings = RunSettings(seed=1, undersampling="none")
    examples = ingest(data, tmp_path / "out", settings)["test"]
    predict = PredictFn(str(model))
    predict.setup()
    found = {
        Path(film.file_name).name: film.probability
        for film in predict.process([("test", record) for record in examples.values()])
    }
    same({name: found[name] for name in FORMS}, probability)


@pytest.mark.parametrize("signature", ["serving_default", "explain", "serving_examples"])
def test_by_a_signature(signature: str, server: Address, probability: float) -> None:
    rows = list(PICTURES.values())
    if signature == "serving_examples":
        rows = [example_of(film) for film in rows]
    body = {
        "signature_name": signature,
        "instances": [{"b64": base64.b64encode(row).decode()} for row in rows],
    }
    url = f"{server.http}/v1/models/pneumonia:predict"
    answer = requests.post(url, json=body, timeout=120).json()
    found = (row["probability"] for row in answer["predictions"])
    same(dict(zip(PICTURES, found, strict=True)), probability)


@pytest.mark.parametrize("where", ["rest", "grpc", "here"])
def test_by_the_client(
    where: str, server: Address, model: Path, probability: float, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in FORMS]
    for path in paths:
        path.write_bytes(FORMS[path.name])
    asked = {
        "rest": lambda: connect(server.http),
        "grpc": lambda: connect(f"grpc://{server.grpc}"),
        "here": lambda: LocalModel(model),
    }[where]()
    readings = list(Client(asked, 2).read_all(paths, lambda: None))
    assert {reading.error for reading in readings} == {None}
    same(
        {reading.path.name: reading.answer.probability for reading in readings if reading.answer},
        probability,
    )


def test_by_the_page(server: Address, probability: float) -> None:
    found = {
        name: requests.post(f"{server.http}/readings", film, timeout=60).json()["probability"]
        for name, film in FORMS.items()
    }
    same(found, probability)
