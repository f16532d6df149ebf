"""What requests may hold of the memory, and that a large one keeps no other waiting."""

import asyncio
import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.server import rest
from serving.server.limits import Limits
from serving.server.service import Service
from serving.server.tensors import Spec, from_rows
from support.served_model import Address, png, serving, wait_until

TOKEN = "open-sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
METADATA = [("authorization", f"Bearer {TOKEN}")]
PREDICT = "/v1/models/pneumonia:predict"
CALL = "/tensorflow.serving.PredictionService/Predict"
# The bodies of two requests fit.
LIMITS = Limits(body_bytes=2**20, held_bytes=2 * 2**20 + 50_000, body_seconds=1.0)


class Proxy:
    """Passes a connection's bytes on, and counts what goes to the server."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self._to = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.sent += len(data) * counted
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


def request_of(size: int) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "pneumonia"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([bytes(size)]))
    return request


def code(channel: Any, size: int, metadata: Any = METADATA) -> str:
    """Sends a message of so many bytes; returns the name of its status, with its reason."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(request_of(size), metadata=metadata, timeout=30)
    return f"{error.value.code().name}: {error.value.details()}"


def went_quiet(proxy: Proxy) -> bool:
    """Whether something has gone to the server, and nothing more for a second."""
    sent = proxy.sent
    time.sleep(1.0)
    return 0 < sent == proxy.sent


@pytest.fixture
def proxy_to(served_folder: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> tuple[Proxy, Any]:
            address = stack.enter_context(serving(served_folder, token=TOKEN, limits=limits))
            proxy = Proxy(address.grpc)
            stack.callback(proxy.close)
            return proxy, stack.enter_context(grpc.insecure_channel(proxy.address))

        yield start


def test_a_message_without_the_token_is_not_read(proxy_to: Any) -> None:
    proxy, channel = proxy_to(Limits())
    for _ in range(3):
        assert code(channel, 8 * 2**20, None).startswith("UNAUTHENTICATED")
    # A window of HTTP/2 each, and a little more; all of it would be 25 million bytes.
    assert proxy.sent < 2**20


def test_no_more_messages_are_read_at_a_time_than_would_fit(proxy_to: Any) -> None:
    proxy, channel = proxy_to(Limits(body_bytes=9 * 2**20, held_bytes=10 * 2**20))
    go_on = threading.Event()

    def stalled() -> Iterator[bytes]:
        go_on.wait(30)
        yield b""

    # It has the one place, and its message does not come.
    first = channel.stream_unary(CALL).future(stalled(), metadata=METADATA, timeout=30)
    wait_until(lambda: went_quiet(proxy))
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(code, channel, 8 * 2**20) for _ in range(4)]
        wait_until(lambda: proxy.sent > 4 * 60_000)
        time.sleep(0.5)
        assert proxy.sent < 2**20
        go_on.set()
        answers = [other.result(60) for other in others]
    answered = "INVALID_ARGUMENT: Film 0 is no readable JPEG or PNG."
    # One that has come while another is being answered finds no room.
    assert answered in answers
    assert set(answers) <= {
        answered,
        "UNAVAILABLE: There is no room for the body: ask again later.",
    }
    assert first.code() is grpc.StatusCode.NOT_FOUND  # of a model without a name
    assert proxy.sent > 4 * 8 * 2**20


class Busy(NamedTuple):
    """A server whose model does not come to an end before `done`."""

    address: Address
    done: threading.Event

    def close(self) -> None:
        self.done.set()


@pytest.fixture
def busy(served_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    done = threading.Event()

    async def predict(self: Service, *_: Any) -> Any:
        while not done.is_set():
            await asyncio.sleep(0.01)
        return {"probability": np.array([0.5], np.float32)}

    with serving(served_folder, token=TOKEN, limits=LIMITS) as address:
        monkeypatch.setattr(Service, "predict", predict)
        try:
            yield Busy(address, done)
        finally:
            done.set()


def post(address: Address, size: int) -> requests.Response:
    body = json.dumps({"instances": ["x" * size]})
    return requests.post(address.http + PREDICT, body, headers=BEARER, timeout=60)


def under_way(address: Address) -> float:
    url = f"{address.http}/monitoring/prometheus/metrics"
    text = requests.get(url, headers=BEARER, timeout=30).text
    return float(text.split("\ncxr_requests_under_way ")[1].split()[0])


@pytest.mark.parametrize("by_grpc", [0, 1, 2])
def test_a_body_is_held_until_its_answer(busy: Busy, by_grpc: int) -> None:
    """Two bodies of a million bytes leave room for no third; it comes back with the answers."""
    address, million = busy.address, 1_000_000
    with (
        grpc.insecure_channel(address.grpc) as channel,
        ThreadPoolExecutor(2) as pool,
        contextlib.closing(busy),
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        calls = [
            stub.Predict.future(request_of(million), metadata=METADATA, timeout=60)
            for _ in range(by_grpc)
        ]
        posts = [pool.submit(post, address, million) for _ in range(2 - by_grpc)]
        wait_until(lambda: under_way(address) == 2)
        time.sleep(0.3)  # until they have come
        response = post(address, million)
        assert response.status_code == 429
        assert response.json()["error"] == "There is no room for the body: ask again later."
        assert code(channel, million) == (
            "UNAVAILABLE: There is no room for the body: ask again later."
        )
        busy.done.set()
        assert [done.result(60).status_code for done in posts] == [200] * (2 - by_grpc)
        assert [len(call.result(60).outputs) for call in calls] == [1] * by_grpc
        wait_until(lambda: under_way(address) == 0)
        assert post(address, million).status_code == 200


def test_a_message_that_does_not_come(served_folder: Path) -> None:
    go_on = threading.Event()

    def nothing() -> Iterator[bytes]:
        go_on.wait(30)
        yield from ()

    with (
        serving(served_folder, limits=LIMITS) as address,
        grpc.insecure_channel(address.grpc) as channel,
    ):
        call = channel.stream_unary(CALL)
        with pytest.raises(grpc.RpcError, match="did not come within 1 s") as error:
            call(nothing(), timeout=30)
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        go_on.set()
        for messages, reason in (([], "holds no message"), ([b"\xff"], "not of the call's type")):
            with pytest.raises(grpc.RpcError, match=reason) as error:
                call(iter(messages), timeout=30)
            assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("slow", ["_parsed", "from_rows"])
def test_others_are_answered_while_a_body_is_read(
    server: Address, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    read, began = getattr(rest, slow), threading.Event()

    def slowly(*arguments: Any) -> Any:
        began.set()
        time.sleep(2.0)
        return read(*arguments)

    monkeypatch.setattr(rest, slow, slowly)
    film = base64.b64encode(png(51)).decode()
    body = json.dumps({"instances": [{"b64": film}]})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.post, server.http + PREDICT, body, timeout=60)
        assert began.wait(30)
        answered = 0
        while not answer.done():
            assert requests.get(f"{server.http}/healthz", timeout=30).status_code == 200
            answered += not answer.done()
        assert answer.result().status_code == 200
    assert answered >= 5


def test_others_run_while_base64_is_decoded() -> None:
    """Python runs nothing else while it decodes, so that a large film is decoded in parts."""
    film = {"b64": base64.b64encode(bytes(48 * 2**20)).decode()}
    gaps: list[float] = []
    ended = threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not ended.is_set():
            time.sleep(0.001)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.monotonic()
    found = from_rows([film], {"image_bytes": Spec(np.dtype(object), (None,))})
    taken = time.monotonic() - started
    ended.set()
    thread.join()
    assert found["image_bytes"].tolist() == [bytes(48 * 2**20)]
    assert max(gaps) < taken / 2
