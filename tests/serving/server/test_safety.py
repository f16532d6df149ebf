"""Limits, the token, headers, and hostile inputs, each with its answer."""

import base64
import http.client
import io
import json
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.shared.limits import FilmLimits
from serving.server import application
from serving.server.limits import Limits
from support.dicom_files import EIGHT, IDENTIFIER, NAME, dicom
from support.served_model import Address, jpeg, png, save, serving, wait_until
from support.written_examples import example_of

TOKEN = "open-sesame"
SMALL = Limits(
    body_bytes=20_000,
    held_bytes=30_000,
    requests=4,
    films=3,
    batch=4,
    body_seconds=2.0,
    seconds=20.0,
)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PREDICT = "/v1/models/pneumonia:predict"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    folder = tmp_path_factory.mktemp("guarded") / "pneumonia"
    save(folder, 7, limits=FilmLimits(min_side=4, max_pixels=10_000, max_bytes=12_000))
    with serving(folder, token=TOKEN, limits=SMALL) as address:
        yield address


def post(address: Address, path: str, body: bytes, **headers: str) -> requests.Response:
    return requests.post(f"{address.http}{path}", body, headers={**BEARER, **headers}, timeout=30)


def predict(address: Address, *films: bytes) -> requests.Response:
    rows = [{"b64": base64.b64encode(film).decode()} for film in films]
    return post(address, PREDICT, json.dumps({"instances": rows}).encode())


def bomb(side: int) -> bytes:
    """A small PNG of so many pixels by so many."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint8)).save(file, "PNG")
    return file.getvalue()


def claims(width: int, height: int) -> bytes:
    """The header of a PNG that claims a size, and no pixels."""
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    rest = (struct.pack(">I4sI", 0, kind, zlib.crc32(kind)) for kind in (b"IDAT", b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"".join(rest)


@pytest.mark.parametrize(
    ("films", "status", "reason"),
    [
        ([png(51)] * 3, 200, ""),
        ([png(51)] * 4, 400, "1 to 3 rows, and this one 4"),
        ([bomb(100)], 200, ""),
        ([png(51), bomb(101)], 400, "Film 1 has 101 x 101 pixels; at most 10000 are read"),
        ([claims(100_000, 100_000)], 400, "Film 0 has too many pixels"),
        ([claims(0, 0)], 400, "Film 0"),
        ([png(51, 4, 16)], 200, ""),
        ([png(51, 4, 17)], 400, "Film 0 has 17 x 4 pixels: longer than 4 to 1"),
        ([png(51), png(51, 3, 4)], 400, "Film 1 has 4 x 3 pixels: a side is under 4"),
        ([png(51) + bytes(12_000)], 400, "bytes; at most 12000 are read"),
        ([jpeg(9)[:-8]], 400, "Film 0 is a truncated JPEG"),
        ([b"GIF89a\1\0\1\0\0\0\0;"], 400, "is no readable JPEG or PNG"),
        ([b"BM" + bytes(60)], 400, "is no readable JPEG or PNG"),
    ],
)
def test_films(guarded: Address, films: list[bytes], status: int, reason: str) -> None:
    response = predict(guarded, *films)
    assert response.status_code == status
    assert reason in response.json().get("error", "")


def test_a_dicom_film_is_held_to_the_models_limits(guarded: Address) -> None:
    def read(height: int) -> requests.Response:
        film = np.tile(np.arange(100, dtype=np.uint8), (height, 1))
        return post(guarded, "/readings", dicom(film))

    assert read(80).status_code == 200
    response = read(101)
    assert response.status_code == 400
    assert "has 100 x 101 pixels; at most 10000 are read" in response.json()["error"]
    response = read(20)
    assert response.json()["error"] == "The film has 100 x 20 pixels: longer than 4 to 1."


def test_a_model_that_says_no_limits_has_the_defaults(tmp_path: Path) -> None:
    save(tmp_path / "pneumonia", 7, limits=None)
    with serving(tmp_path / "pneumonia") as address:
        assert predict(address, png(51, 32, 32)).status_code == 200
        response = predict(address, png(51, 31, 32))
        assert response.json()["error"] == "Film 0 has 32 x 31 pixels: a side is under 32."


def test_a_bomb_is_refused_in_an_example_too(guarded: Address) -> None:
    example = example_of(bomb(101))
    row = {"b64": base64.b64encode(example).decode()}
    body = {"signature_name": "serving_examples", "instances": [row]}
    response = post(guarded, PREDICT, json.dumps(body).encode())
    assert response.status_code == 400
    assert "101 x 101 pixels" in response.json()["error"]


@pytest.mark.parametrize("path", [PREDICT, "/readings"])
def test_a_body_that_is_too_large(guarded: Address, path: str) -> None:
    response = post(guarded, path, bytes(20_001))
    assert response.status_code == 413
    assert response.json() == {"error": "The body is larger than 20000 bytes."}

    def parts() -> Iterator[bytes]:
        yield from [bytes(5_000)] * 5

    response = requests.post(f"{guarded.http}{path}", parts(), headers=BEARER, timeout=30)
    assert response.status_code == 413


def test_a_body_that_does_not_come(guarded: Address) -> None:
    connection = http.client.HTTPConnection(guarded.http.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", PREDICT)
    for name, value in {**BEARER, "Content-Length": "1000"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"{")
    # It is answered although the client never ends.
    started = time.monotonic()
    assert connection.getresponse().status == 408
    assert time.monotonic() - started < 5.0
    connection.close()


def test_a_header_that_does_not_come(guarded: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "_HEADER_S", 0.5)
    host, port = guarded.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):  # header and body may come apart
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        connection.sendall(b"GET /healthz HT")
        time.sleep(0.3)
        connection.sendall(b"TP/1.1\r\n")  # each byte would be in time, the whole is not
        assert connection.recv(4096) == b""
        assert time.monotonic() - started < 5.0


class Slow:
    """A client that keeps a request under way."""

    def __init__(self, address: Address, size: int) -> None:
        self._connection = http.client.HTTPConnection(
            address.http.removeprefix("http://"), timeout=30
        )
        self._connection.putrequest("POST", "/readings")
        for name, value in {**BEARER, "Content-Length": "20000"}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(bytes(size))

    def close(self) -> None:
        self._connection.close()


def under_way(address: Address) -> float:
    text = requests.get(
        f"{address.http}/monitoring/prometheus/metrics", headers=BEARER, timeout=30
    ).text
    return float(text.split("\ncxr_requests_under_way ")[1].split()[0])


def refused_while(number: int, size: int, address: Address) -> tuple[requests.Response, int]:
    """Asks while so many send so little; returns the refusal, and the status of /healthz."""
    wait_until(lambda: under_way(address) == 0)
    clients = [Slow(address, size) for _ in range(number)]
    try:
        wait_until(lambda: under_way(address) == number)
        response = predict(address, png(51))
        health = requests.get(f"{address.http}/healthz", timeout=30).status_code
        return response, health
    finally:
        for client in clients:
            client.close()


def test_too_many_at_a_time(guarded: Address) -> None:
    response, health = refused_while(4, 10, guarded)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert "requests are under way" in response.json()["error"]
    assert health == 200


def test_too_much_at_a_time(guarded: Address) -> None:
    response, _ = refused_while(2, 14_950, guarded)
    assert response.status_code == 429
    assert "no room for the body" in response.json()["error"]
    # The room comes back when they are gone.
    wait_until(lambda: predict(guarded, png(51)).status_code == 200)


def test_a_model_that_takes_too_long(served_folder: Path) -> None:
    with serving(served_folder, limits=Limits(seconds=0.0)) as address:
        response = predict(address, png(51))
        assert response.status_code == 408
        assert "no answer within" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PREDICT),
        ("POST", "/readings"),
        ("GET", "/v1/models/pneumonia"),
        ("GET", "/v1/models/pneumonia/metadata"),
        ("GET", "/about"),
        ("GET", "/report"),
        ("GET", "/openapi.json"),
        ("GET", "/monitoring/prometheus/metrics"),
        ("GET", "/nothing"),
    ],
)
@pytest.mark.parametrize(
    "authorization", [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_no_answer_without_the_token(
    guarded: Address, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    response = requests.request(
        method,
        guarded.http + path,
        data=bytes(10_000) if method == "POST" else None,
        headers=headers,
        timeout=30,
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in response.text


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/healthz", "/readyz"])
def test_the_page_and_health_are_open(guarded: Address, path: str) -> None:
    assert requests.get(guarded.http + path, timeout=30).status_code == 200


def test_the_token_opens(guarded: Address) -> None:
    assert predict(guarded, png(51)).status_code == 200
    assert requests.get(f"{guarded.http}/about", headers=BEARER, timeout=30).json()[
        "token_required"
    ]


def test_grpc_has_the_same_limits_and_token(guarded: Address) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "pneumonia"
    right = [("authorization", f"Bearer {TOKEN}")]
    with grpc.insecure_channel(guarded.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def code(films: list[bytes], metadata: Any) -> str:
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(films))
            try:
                stub.Predict(request, metadata=metadata, timeout=30)
            except grpc.RpcError as error:
                return error.code().name
            return "OK"

        assert code([png(51)], right) == "OK"
        assert code([png(51)], []) == "UNAUTHENTICATED"
        assert code([png(51)], [("authorization", "Bearer x")]) == "UNAUTHENTICATED"
        assert code([png(51)] * 4, right) == "INVALID_ARGUMENT"
        assert code([bomb(101)], right) == "INVALID_ARGUMENT"
        assert code([bytes(20_001)], right) == "RESOURCE_EXHAUSTED"


def test_every_answer_has_the_headers(guarded: Address) -> None:
    for response in (
        requests.get(f"{guarded.http}/", timeout=30),
        requests.get(f"{guarded.http}/nothing", timeout=30),
        requests.get(f"{guarded.http}/nothing", headers=BEARER, timeout=30),
        predict(guarded, png(51)),
        predict(guarded, b"no film"),
    ):
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200),
        ("127.0.0.1", 200),
        ("[::1]:8501", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8501", 421),
        ("", 421),
    ],
)
def test_a_name_that_was_made_to_mean_this_machine(
    guarded: Address, host: str, status: int
) -> None:
    response = requests.get(f"{guarded.http}/healthz", headers={"Host": host}, timeout=30)
    assert response.status_code == status


def test_nothing_of_a_film_or_a_patient_is_said_or_kept(
    served_folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = sorted(served_folder.rglob("*"))
    texts = []
    with serving(served_folder) as address:
        for film in (
            dicom(EIGHT),
            dicom(EIGHT, Modality="MR"),
            dicom(EIGHT)[:-3],
            dicom(EIGHT, BitsStored=99),
        ):
            texts.append(requests.post(f"{address.http}/readings", film, timeout=60).text)
        texts.append(requests.post(f"{address.http}{PREDICT}", b'{"SECRETFILM', timeout=30).text)
    output = capfd.readouterr()
    for text in (*texts, output.out, output.err):
        assert NAME not in text
        assert IDENTIFIER not in text
        assert "SECRETFILM" not in text
    assert sorted(served_folder.rglob("*")) == before
