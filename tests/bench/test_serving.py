import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.load import ask, request
from bench.serving import summary


class Refusing(BaseHTTPRequestHandler):
    """Answers a body that holds `bad` with 429, others with 200 and many bytes."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, body))
        answer = b"{}" if b"bad" in body else bytes(200_000)
        self.send_response(429 if b"bad" in body else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def test_each_request_is_sent_once_and_counted() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    messages = [request("chest", body) for body in (b"one", b"two", b"bad")]
    taken, seconds, refused = ask(server.server_address[1], messages, clients=4, requests=30)
    server.shutdown()
    server.server_close()
    assert len(seconds) == 30
    assert refused == 10
    assert 0 < max(seconds) <= taken
    path = "/v1/models/chest:predict"
    assert sorted(Refusing.seen) == sorted([(path, b"one"), (path, b"two"), (path, b"bad")] * 10)


def test_the_medians_of_the_rounds() -> None:
    def one(scale: float, rate: float) -> dict[str, object]:
        bare = {size: scale * size for size in (1, 2, 4, 8, 16, 32)}
        bare[8] = scale * 4  # twice as fast as any other
        asked = {"p50_ms": 1000 * scale, "rate": rate, "refused": 1, "answered": 9}
        return {"bare": bare, "server": dict.fromkeys((1, 8, 32), asked)}

    found = summary([one(0.5, 3.0), one(0.1, 1.0), one(0.2, 2.0)])
    assert found["bare_ms"] == pytest.approx(200)
    assert found["batch"] == 8
    assert found["bare_rate"] == pytest.approx(10)
    assert found["clients"][32] == {"p50_ms": pytest.approx(200), "rate": 2.0}
    assert found["refused"] == 9
    assert json.dumps(found)
