"""The REST interface, asked by a plain client written from TensorFlow Serving's documentation."""

import base64
import gzip
import http.client
import json
import re
from typing import Any

import pytest

from support.served_model import Address, jpeg, png
from support.written_examples import example_of


def ask(
    address: Address,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Sends one request and returns the status and the JSON of the answer."""
    connection = http.client.HTTPConnection(address.http.removeprefix("http://"), timeout=30)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "application/json"
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def b64(film: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(film).decode()}


def row(level: int) -> dict[str, Any]:
    """What the model says of a film of this grey level."""
    return {
        "probability": pytest.approx(level / 255, abs=1e-6),
        "threshold": 0.5,
        "label": "PNEUMONIA" if level >= 128 else "NORMAL",
        "model_version": "7",
    }


MODEL = "/v1/models/pneumonia"
FILMS = [b64(png(51)), b64(png(204))]


def packed(server: Address, body: bytes, encoding: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.http.removeprefix("http://"), timeout=60)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    connection.request("POST", f"{MODEL}:predict", body, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_a_body_may_be_packed_by_gzip(server: Address) -> None:
    body = json.dumps({"instances": FILMS}).encode()
    wanted = {"predictions": [row(51), row(204)]}
    assert packed(server, gzip.compress(body), "gzip") == (200, wanted)
    assert packed(server, body, "identity") == (200, wanted)


@pytest.mark.parametrize(
    ("body", "encoding", "status", "reason"),
    [
        (b"{}", "br", 400, "neither gzip nor identity"),
        (b"{}", "gzip", 400, "no gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9] + bytes(4), "gzip", 400, "one member"),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), "gzip", 400, "one member"),
        # It says that it is of two bytes.
        (gzip.compress(bytes(10**6), mtime=0)[:-4] + b"\x02\0\0\0", "gzip", 400, "one member"),
        (
            gzip.compress(bytes(10**6), mtime=0)[:-4] + b"\xff\xff\xff\xff",
            "gzip",
            413,
            "larger than",
        ),
    ],
)
def test_a_body_that_is_packed_otherwise(
    server: Address, body: bytes, encoding: str, status: int, reason: str
) -> None:
    found, content = packed(server, body, encoding)
    assert found == status
    assert reason in content["error"]


def test_status(server: Address) -> None:
    status = {"error_code": "OK", "error_message": ""}
    expected = {"model_version_status": [{"version": "7", "state": "AVAILABLE", "status": status}]}
    assert ask(server, MODEL) == (200, expected)
    assert ask(server, f"{MODEL}/versions/7") == (200, expected)


def test_metadata(server: Address) -> None:
    for path in (f"{MODEL}/metadata", f"{MODEL}/versions/7/metadata"):
        status, content = ask(server, path)
        assert status == 200
        assert content["model_spec"] == {
            "name": "pneumonia",
            "signature_name": "",
            "version": "7",
        }
        signatures = content["metadata"]["signature_def"]["signature_def"]
        assert {"serving_default", "serving_examples", "explain"} <= signatures.keys()
        default = signatures["serving_default"]
        assert default["method_name"] == "tensorflow/serving/predict"
        assert default["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
        shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
        assert default["outputs"]["probability"]["tensor_shape"] == shape


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"image_bytes": film} for film in FILMS]},
        {"instances": FILMS},
        {"signature_name": "serving_default", "instances": FILMS},
        {"signature_name": "", "instances": FILMS},
    ],
)
@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/7"])
def test_rows(server: Address, path: str, body: Any) -> None:
    assert ask(server, f"{path}:predict", body) == (200, {"predictions": [row(51), row(204)]})


@pytest.mark.parametrize("inputs", [{"image_bytes": FILMS}, FILMS])
def test_columns(server: Address, inputs: Any) -> None:
    rows = row(51), row(204)
    expected = {name: [one[name] for one in rows] for name in rows[0]}
    # pytest's approx is no equal of a list's item when the other is on its left.
    status, content = ask(server, f"{MODEL}:predict", {"inputs": inputs})
    assert (status, content["outputs"]) == (200, expected)


def test_examples_and_heat_maps(server: Address) -> None:
    rows = [{"examples": b64(example_of(png(51)))}]
    body = {"signature_name": "serving_examples", "instances": rows}
    assert ask(server, f"{MODEL}:predict", body) == (200, {"predictions": [row(51)]})
    body = {"signature_name": "explain", "instances": FILMS[:1]}
    level = row(51)["probability"]
    heat = {"heatmap": [[level, level], [level, level]], "seen_bytes": FILMS[0]}
    assert ask(server, f"{MODEL}:predict", body) == (200, {"predictions": [{**row(51), **heat}]})


def test_a_jpeg(server: Address) -> None:
    _, content = ask(server, f"{MODEL}:predict", {"instances": [b64(jpeg(100))]})
    assert content["predictions"][0]["probability"] == pytest.approx(100 / 255, abs=0.01)


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (f"{MODEL}:predict", b"", 400, "no JSON"),
        (f"{MODEL}:predict", b"\xff\xfe", 400, "no JSON"),
        (f"{MODEL}:predict", b"[" * 100_000, 400, "no JSON"),
        (f"{MODEL}:predict", b"9" * 100_000, 400, "no JSON"),
        (f"{MODEL}:predict", [1], 400, "no JSON object"),
        (f"{MODEL}:predict", {}, 400, "either 'instances' or 'inputs'"),
        (f"{MODEL}:predict", {"instances": FILMS, "inputs": FILMS}, 400, "either"),
        (f"{MODEL}:predict", {"signature_name": 3, "instances": FILMS}, 400, "no string"),
        (f"{MODEL}:predict", {"signature_name": "x", "instances": FILMS}, 400, '"x" not found'),
        (f"{MODEL}:predict", {"instances": [b64(b"no film")]}, 400, "Film 0 is no readable"),
        (f"{MODEL}:predict", {"instances": [*FILMS, b64(b"")]}, 400, "Film 2 is empty"),
        (
            f"{MODEL}:predict",
            {"instances": [b64(jpeg(9)[:-8])]},
            400,
            "^Film 0 is a trunc",
        ),
        (f"{MODEL}:predict", {"instances": FILMS * 33}, 400, "1 to 64 rows, and this one 66"),
        (
            f"{MODEL}:predict",
            {"signature_name": "serving_examples", "instances": ["no example"]},
            400,
            "no serialized tf.train.Example",
        ),
        (f"{MODEL}:classify", {"examples": []}, 400, "Expected classify signature"),
        (f"{MODEL}:regress", {"examples": []}, 400, "Expected regress signature"),
        ("/v1/models/other:predict", {"instances": FILMS}, 404, r"Latest\(other\)"),
        (f"{MODEL}/versions/8:predict", {"instances": FILMS}, 404, r"Specific\(pneumonia, 8\)"),
        (f"{MODEL}/versions/x:predict", {"instances": FILMS}, 400, "to numeric"),
        (f"{MODEL}/versions/{'9' * 5000}:predict", {"instances": FILMS}, 400, "to numeric"),
        (f"{MODEL}/labels/stable:predict", {"instances": FILMS}, 400, "label: stable"),
        (f"{MODEL}/versions/8", None, 404, "Could not find version 8 of model pneumonia"),
        ("/v1/models/other", None, 404, "Could not find any versions of model other"),
        ("/v1/models/other/metadata", None, 404, r"Latest\(other\)"),
        ("/v1/models", None, 404, "Malformed request: GET /v1/models"),
        ("/../../etc/passwd", None, 404, "Malformed request"),
        ("/page/index.html", None, 404, "Malformed request"),
        ("/%2e%2e/page.js", None, 404, "Malformed request"),
    ],
)
def test_what_is_refused_is_told_why(
    server: Address, path: str, body: Any, status: int, reason: str
) -> None:
    found, content = ask(server, path, body)
    assert found == status
    assert list(content) == ["error"]
    assert re.search(reason, content["error"])
    assert "\n" not in content["error"]


def test_other_methods(server: Address) -> None:
    assert ask(server, f"{MODEL}:predict", method="DELETE")[0] == 405
    assert ask(server, MODEL, {"instances": FILMS})[0] == 405


def test_a_name_is_read_as_it_is_written(server: Address) -> None:
    assert ask(server, "/v1/models/%70neumonia")[0] == 200
