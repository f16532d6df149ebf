"""The client against servers written from TensorFlow Serving's documentation."""

import base64
import contextlib
import csv
import gzip
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.films.errors import FilmError
from components.shared.errors import InputError
from components.shared.limits import LIMITS_FILE, FilmLimits
from pipeline.cli import main
from serving.client import command, servers
from serving.client.client import Client
from serving.client.errors import ServerError
from support.dicom_files import EIGHT, dicom

THRESHOLD = 0.5
# The grey level of a film that the stand-in cannot decode.
UNREADABLE = 13


def png(level: int) -> bytes:
    return bytes(cv2.imencode(".png", np.full((4, 6), level, np.uint8))[1])


def mean(film: bytes) -> float:
    """The stand-in for a net: the mean grey level, 0 to 1."""
    picture = cv2.imdecode(np.frombuffer(film, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None or picture.mean() == UNREADABLE:
        raise ValueError("row 0 is no image")
    return float(picture.mean()) / 255


def answer(film: bytes) -> dict[str, Any]:
    probability = mean(film)
    label = "PNEUMONIA" if probability >= THRESHOLD else "NORMAL"
    return {
        "probability": probability,
        "threshold": THRESHOLD,
        "label": label,
        "model_version": "7",
    }


class Rest(BaseHTTPRequestHandler):
    """POST /v1/models/NAME:predict in the row format; `refusals` are answered first."""

    refusals: list[tuple[int, bytes, dict[str, str]]] = []
    seen: list[tuple[str, str | None]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"]))
        if self.refusals:
            self.reply(*self.refusals.pop())
            return
        assert body["signature_name"] == "serving_default"
        ((row,),) = ([instance["image_bytes"] for instance in body["instances"]],)
        try:
            self.reply(
                200, json.dumps({"predictions": [answer(base64.b64decode(row["b64"]))]}).encode()
            )
        except ValueError as error:
            self.reply(400, json.dumps({"error": str(error)}).encode())

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(servers, "_BACKOFF_S", 0.01)
    Rest.refusals, Rest.seen = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request: Any, context: Any) -> Any:
        assert request.model_spec.name == "pneumonia"
        assert request.model_spec.signature_name == "serving_default"
        (film,) = tf.make_ndarray(request.inputs["image_bytes"])
        response = predict_pb2.PredictResponse()
        try:
            found = answer(film)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        for name, value in found.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto([value]))
        return response


@pytest.fixture
def over_grpc() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Grpc(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}"
    server.stop(None)


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = tf.map_fn(
            lambda film: tf.reduce_mean(tf.cast(tf.io.decode_png(film, 1), tf.float32)) / 255.0,
            image_bytes,
            fn_output_signature=tf.float32,
        )
        return {
            "probability": probability,
            "threshold": tf.fill(tf.shape(probability), THRESHOLD),
            "label": tf.where(probability >= THRESHOLD, "PNEUMONIA", "NORMAL"),
            "model_version": tf.fill(tf.shape(probability), "7"),
        }


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "pneumonia"
    model = Model()
    (folder / "9").mkdir(parents=True)  # older, by number and not by letters
    tf.saved_model.save(model, str(folder / "10"), signatures={"serving_default": model.serve})
    (folder / "10" / LIMITS_FILE).parent.mkdir()
    (folder / "10" / LIMITS_FILE).write_text(FilmLimits(min_side=4).model_dump_json())
    return folder


def test_rest_grpc_and_the_folder_agree(rest: str, over_grpc: str, pushed: Path) -> None:
    for server in (
        servers.connect(rest),
        servers.connect(over_grpc),
        servers.LocalModel(pushed),
        servers.LocalModel(pushed / "10"),
    ):
        for level, label in ((51, "NORMAL"), (204, "PNEUMONIA")):
            found = server.ask(png(level))
            assert found.probability == pytest.approx(level / 255, abs=1e-6)
            assert found.threshold == THRESHOLD
            assert found.label == label
            assert found.model_version == "7"
        with pytest.raises(FilmError):
            server.ask(b"no image")
    assert {path for path, _ in Rest.seen} == {"/v1/models/pneumonia:predict"}


def test_another_model_and_version_by_its_path(rest: str) -> None:
    servers.connect(f"{rest}/v1/models/chest/versions/3").ask(png(1))
    assert Rest.seen == [("/v1/models/chest/versions/3:predict", None)]


def test_a_busy_server_is_asked_again(rest: str) -> None:
    Rest.refusals = [
        (503, b"", {"Retry-After": "86400"}),
        (429, b"", {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}),
        (502, b"", {}),
    ]
    assert servers.connect(rest).ask(png(255)).probability == 1.0
    assert len(Rest.seen) == 4


def test_a_server_that_stays_busy_is_an_error(rest: str) -> None:
    Rest.refusals = [(503, b'{"error": "too busy"}', {})] * 9
    with pytest.raises(ServerError, match="503: too busy"):
        servers.connect(rest).ask(png(255))
    assert len(Rest.seen) == 5


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b'{"error": "Servable not found"}', "answers 404: Servable not found"),
        (401, b"<html>", "answers 401: <html>"),
        (200, b"[]", "answers otherwise"),
        (200, b'{"predictions": [{"probability": 1}]}', "answers otherwise"),
    ],
)
def test_what_no_retry_mends_is_asked_once(
    rest: str, status: int, body: bytes, reason: str
) -> None:
    Rest.refusals = [(status, body, {})]
    with pytest.raises(ServerError, match=reason):
        servers.connect(rest).ask(png(255))
    assert len(Rest.seen) == 1


GOOD = {"probability": 0.9, "threshold": 0.5, "label": "PNEUMONIA", "model_version": "1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"probability": math.nan}, "its probability is nan, not a number from 0 to 1"),
        ({"probability": math.inf}, "its probability is inf"),
        ({"probability": 7.0}, "its probability is 7.0"),
        ({"probability": -3}, "its probability is -3"),
        ({"probability": True}, "its probability is True"),
        ({"probability": "0.9"}, "its probability is '0.9'"),
        ({"probability": [0.9]}, r"its probability is \[0.9\]"),
        ({"probability": 10**400}, r"its probability is 1000\d+\.\.\."),
        ({"threshold": None}, "its threshold is None"),
        ({"label": "NORMAL"}, "its label is 'NORMAL', and PNEUMONIA at probability 0.9"),
        ({"probability": 0.1}, "its label is 'PNEUMONIA', and NORMAL at"),
        ({"label": '=HYPERLINK("http://evil")'}, "its label is '=HYPERLINK"),
        ({"label": None}, "its label is None"),
        ({"model_version": {"a": 1}}, "its version is {'a': 1}"),
        ({"model_version": "1\x1b[2J"}, "its version is '1"),
    ],
)
def test_an_answer_that_is_none_fails_its_film(
    rest: str, changes: dict[str, Any], reason: str
) -> None:
    body = json.dumps({"predictions": [{**GOOD, **changes}]}).encode()
    Rest.refusals = [(200, body, {})]
    with pytest.raises(FilmError, match=f"^has no usable answer: {reason}") as caught:
        servers.connect(rest).ask(png(255))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b'{"predictions": {"a": 1}}',
        b'{"predictions": []}',
        json.dumps({"predictions": [GOOD, GOOD]}).encode(),
        b'{"predictions":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"predictions": [{"probability": ' + b"9" * 100_000 + b"}]}",
        b"\xff\xfe",
    ],
    ids=["null", "columns", "none", "two", "deep", "long", "no text"],
)
def test_what_is_no_answer_to_the_question_ends_it(rest: str, body: bytes) -> None:
    Rest.refusals = [(200, body, {})]
    with pytest.raises(ServerError, match="answers otherwise than this model does"):
        servers.connect(rest).ask(png(255))


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (302, b"", {"Location": "http://127.0.0.1:1/"}, "answers 302: nothing"),
        (307, b"", {"Location": "/v1/models/pneumonia:predict"}, "answers 307: nothing"),
        (200, gzip.compress(bytes(2**24)), {"Content-Encoding": "gzip"}, "answers packed"),
        (200, b" " * (2**20 + 1), {}, "answers with more than 1048576 bytes"),
        (500, b"x" * 10_000, {}, "answers 500: x{300}"),
        (500, b'{"error": "\\u001b[31mEVIL\\u202e"}', {}, r"answers 500: \\x1b\[31mEVIL\\u202e"),
    ],
)
def test_a_server_is_not_followed_nor_held_by(
    rest: str, status: int, body: bytes, headers: dict[str, str], reason: str
) -> None:
    Rest.refusals = [(status, body, headers)]
    with pytest.raises(ServerError, match=f"{reason}"):
        servers.connect(rest).ask(png(255))
    assert len(Rest.seen) == 1


def test_an_answer_that_does_not_end_is_not_waited_for(
    rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(self: Rest, *ignored: object) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)

    monkeypatch.setattr(Rest, "reply", trickle)
    started = time.monotonic()
    with pytest.raises(ServerError, match="does not end its answer"):
        servers.connect(rest, timeout_s=0.5).ask(png(255))
    assert time.monotonic() - started < 5.0


def test_what_was_answered_before_is_written(
    rest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        path.write_bytes(png(204))
    answers = tmp_path / "answers.csv"
    good = json.dumps({"predictions": [GOOD]}).encode()
    Rest.refusals = [(401, b"expired", {}), (200, good, {})]
    films = ["predict", *map(str, paths), "--server", rest, "--concurrency", "1"]
    assert main([*films, "--csv", str(answers)]) == 2
    assert "answers 401: expired" in capsys.readouterr().err
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["PNEUMONIA", "", "", ""]
    assert [row["error"] for row in rows] == ["", *["has no answer"] * 3]
    # Where there is no answer at all, what is there stays.
    Rest.refusals = [(401, b"expired", {})]
    before = answers.read_text()
    assert main([*films, "--csv", str(answers)]) == 2
    assert answers.read_text() == before


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "grpc://127.0.0.1:1"])
def test_nobody_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_BACKOFF_S", 0.01)
    with pytest.raises(ServerError, match=url):
        servers.connect(url, timeout_s=20).ask(png(1))


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://host", "http://", ""])
def test_no_address(url: str) -> None:
    with pytest.raises(InputError, match="is neither http"):
        servers.connect(url)


def test_films_of_adults_are_asked_for_where_one_says_so(
    rest: str, tmp_path: Path, pushed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "a.dcm"
    film.write_bytes(dicom(EIGHT, PatientAge="070Y"))
    assert main(["predict", str(film), "--server", rest]) == 2
    assert "a.dcm is of an adult" in capsys.readouterr().err
    assert not Rest.seen
    assert main(["predict", str(film), "--server", rest, "--adults"]) == 0
    assert main(["predict", str(film), "--model", str(pushed), "--adults"]) == 2
    assert "--adults and --model are not allowed together" in capsys.readouterr().err


def test_many_films_come_in_their_order(rest: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{level}.png" for level in range(0, 256, 5)]
    for path in paths:
        path.write_bytes(png(int(path.stem)))
    steps: list[int] = []
    readings = list(Client(servers.connect(rest), 8).read_all(paths, lambda: steps.append(1)))
    assert [reading.path for reading in readings] == paths
    assert [round(255 * reading.answer.probability) for reading in readings if reading.answer] == [
        int(path.stem) for path in paths
    ]
    assert len(steps) == len(paths)


def test_predict_writes_what_it_shows_and_names_what_failed(
    rest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_TOKEN", "secret")
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(204))
    Path("b.dcm").write_bytes(dicom(EIGHT))
    Path("c.jpg").write_bytes(png(UNREADABLE))
    Path("d.png").write_bytes(b"text")
    files = ["--csv", "out.csv", "--json", "out.json"]
    status = main(["predict", "a.png", "b.dcm", "c.jpg", "d.png", *files, "--server", rest])
    shown = capsys.readouterr()
    assert status == 2
    assert "PNEUMONIA" in shown.out
    assert "not a medical device" in shown.out
    assert "cxr: c.jpg was refused by the server: row 0 is no image." in shown.err
    assert "cxr: d.png is neither JPEG, PNG nor DICOM." in shown.err
    assert "secret" not in shown.out + shown.err
    assert {token for _, token in Rest.seen} == {"Bearer secret"}
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["a.png", "b.dcm", "c.jpg", "d.png"]
    assert float(rows[0]["probability"]) == pytest.approx(0.8)
    assert float(rows[1]["probability"]) == pytest.approx(EIGHT.mean() / 255)
    assert rows[0]["model_version"] == "7"
    assert rows[0]["error"] == rows[3]["label"] == ""
    films = json.loads(Path("out.json").read_text())["films"]
    assert films[0]["label"] == "PNEUMONIA"
    assert films[2]["probability"] is None


def test_names_are_shown_as_they_are(
    rest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("[").mkdir()
    for encoded in (b"1 [ap].png", b"1 [pa].png", b"=1+2.png", b"[/x].png", b"r\xf6ntgen.png"):
        Path(os.fsdecode(encoded)).write_bytes(png(204))
    films = ["[", "1 *", "=1*", "r*"]
    assert main(["predict", *films, "--csv", "out.csv", "--server", rest]) == 0
    shown = capsys.readouterr().out
    with open("out.csv", newline="", encoding="utf-8") as file:
        rows = [row["file"] for row in csv.DictReader(file)]
    assert rows == ["[/x].png", "1 [ap].png", "1 [pa].png", "'=1+2.png", "r\\xf6ntgen.png"]
    for name in ("1 [ap].png", "1 [pa].png", "[/x].png", "=1+2.png", "r\\xf6ntgen.png"):
        assert name in shown


def test_the_answers_are_written_though_nobody_looks(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(204))

    def left(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(command.Console, "print", left)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    out = tmp_path / "out.csv"
    assert main(["predict", str(tmp_path / "a.png"), "--csv", str(out), "--server", rest]) == 1
    assert "a.png" in out.read_text()


@pytest.mark.parametrize("scheme", ["rest", "grpc"])
def test_what_is_for_this_machine_goes_to_no_proxy(
    rest: str, over_grpc: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    url = rest if scheme == "rest" else over_grpc
    assert servers.connect(url).ask(png(204)).label == "PNEUMONIA"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        (None, False),
    ],
)
def test_this_machine_by_its_names(host: str | None, here: bool) -> None:
    assert servers._is_loopback(host) == here


def test_predict_with_a_folder_of_versions(pushed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(51))
    output = tmp_path / "out.json"
    assert main(["predict", str(tmp_path), "--model", str(pushed), "--json", str(output)]) == 0
    assert json.loads(output.read_text())["films"][0]["label"] == "NORMAL"


def test_half_a_version_is_not_asked(
    pushed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pneumonia"
    (folder / "11" / "variables").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(png(51))
    arguments = ["predict", str(tmp_path / "a.png"), "--model", str(folder)]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        f"cxr: --model {folder} holds no SavedModel and no whole version of one.\n"
    )
    (folder / "10").symlink_to(pushed / "10")
    assert main(arguments) == 0


def test_a_folders_model_holds_films_to_its_limits(
    pushed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = shutil.copytree(pushed / "10", tmp_path / "model" / "10")
    limits = FilmLimits(min_side=2, max_pixels=5)
    (version / LIMITS_FILE).write_text(limits.model_dump_json())
    (tmp_path / "a.png").write_bytes(png(51))
    (tmp_path / "b.dcm").write_bytes(dicom(EIGHT))
    arguments = ["predict", str(tmp_path), "--model", str(tmp_path / "model")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "a.png has 6 x 4 pixels; at most 5 are read.\n" in error
    assert f"b.dcm has {EIGHT.shape[1]} x {EIGHT.shape[0]} pixels; at most 5 are read.\n" in error
    (version / LIMITS_FILE).write_text('{"max_pixels": "many"}')
    assert main(arguments) == 2
    assert capsys.readouterr().err == (f"cxr: {version / LIMITS_FILE} holds no limits of films.\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["none.png"], "none.png does not exist"),
        (["a.png", "--model", "nowhere"], "--model nowhere holds no SavedModel"),
        (["a.png", "--server", "host"], "--server host is neither"),
        (["a.png", "--concurrency", "0"], "--concurrency is 0"),
        (["a.png", "--csv", "no/out.csv"], "no/out.csv cannot be written"),
        (["a.png", "--server", "http://127.0.0.1:1"], "does not answer"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "_BACKOFF_S", 0.01)
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(1))
    assert main(["predict", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
