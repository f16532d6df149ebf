"""Requests made up from the interface's description, and films with some bytes changed."""

import base64
import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.dicom_files import EIGHT, dicom
from support.films import encode, tiny_film
from support.served_model import Address
from support.written_examples import example_of

EXAMPLES = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SEEDS = [
    encode(tiny_film(1)),
    encode(np.dstack([tiny_film(2)] * 3)),
    encode(tiny_film(3), ".png"),
    encode(tiny_film(4).astype(np.uint16) * 257, ".png"),
]
DICOM_SEEDS = [
    dicom(EIGHT),
    dicom(EIGHT.astype(np.int16) * 9, BitsStored=13, RescaleSlope="2", RescaleIntercept="-1"),
    dicom(np.dstack([EIGHT] * 3), PhotometricInterpretation="RGB"),
]


@functools.cache
def _schema(url: str) -> Any:
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


PATHS = [
    ("POST", "/v1/models/{model}:predict"),
    ("POST", "/v1/models/{model}/versions/{version}:predict"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/models/{model}/versions/{version}"),
    ("GET", "/v1/models/{model}/metadata"),
    ("GET", "/v1/models/{model}/versions/{version}/metadata"),
    ("POST", "/readings"),
    ("GET", "/about"),
    ("GET", "/report"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/monitoring/prometheus/metrics"),
]


def test_every_path_of_the_description_is_asked(server: Address) -> None:
    described = requests.get(f"{server.http}/openapi.json", timeout=30).json()["paths"]
    found = {
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if method != "parameters"
    }
    assert found == set(PATHS)


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((method, path, GenerationMode.POSITIVE) for method, path in PATHS),
        # The others take nothing that could be wrong.
        *((method, path, GenerationMode.NEGATIVE) for method, path in PATHS if "{" in path),
    ],
)
def test_no_request_makes_the_server_fail(
    server: Address, method: str, path: str, mode: GenerationMode
) -> None:
    @given(case=_schema(server.http)[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(timeout=30, checks=CHECKS)

    ask()


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """The file with bytes changed, cut, doubled or swapped with others."""
    file = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(len(file))), int(rng.integers(1, 16))
        match rng.integers(5):
            case 0:
                file[at] = rng.integers(256)
            case 1:
                file[at : at + length] = rng.bytes(length)
            case 2:
                file[at : at + length] = b""
            case 3:
                file[at:at] = file[at : at + length]
            case 4:
                file[at : at + length] = b"\xff" * length
        if not file:
            return b""
    return bytes(file)


def as_reading(address: Address, film: bytes) -> requests.Response:
    return requests.post(f"{address.http}/readings", film, timeout=60)


def as_row(address: Address, film: bytes) -> requests.Response:
    body = {"instances": [{"b64": base64.b64encode(film).decode()}]}
    url = f"{address.http}/v1/models/pneumonia:predict"
    return requests.post(url, json.dumps(body), timeout=60)


def as_example(address: Address, film: bytes) -> requests.Response:
    example = example_of(film)
    row = {"b64": base64.b64encode(example).decode()}
    body = {"signature_name": "serving_examples", "instances": [row]}
    url = f"{address.http}/v1/models/pneumonia:predict"
    return requests.post(url, json.dumps(body), timeout=60)


@pytest.mark.parametrize(
    ("ask", "seeds", "number"),
    [
        (as_reading, SEEDS, 150),
        (as_row, SEEDS, 150),
        (as_example, SEEDS, 50),
        (as_reading, DICOM_SEEDS, 60),
    ],
)
def test_no_film_makes_the_server_fail(
    server: Address,
    ask: Callable[[Address, bytes], requests.Response],
    seeds: list[bytes],
    number: int,
) -> None:
    rng = np.random.default_rng(20)
    statuses = []
    for count in range(number):
        response = ask(server, mutated(rng, seeds[count % len(seeds)]))
        statuses.append(response.status_code)
        if response.status_code != 200:
            assert list(response.json()) == ["error"]
    assert set(statuses) <= {200, 400}
    # Some are still films, some are not.
    assert len(set(statuses)) == 2
    assert ask(server, seeds[0]).status_code == 200
