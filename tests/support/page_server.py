"""What the second reader's page asks: a stub of its server, and films that it knows."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from serving import server
from support.dicom_files import dicom
from support.films import encode, tiny_film

PAGE = Path(server.__file__).parent / "page"
TYPES = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NOTICE = "Decision support, not a medical device. A physician decides."
THRESHOLD = 0.834
BROKEN = "It is neither JPEG, PNG nor DICOM."
TOKEN = "open sesame"

# What the net saw, dark above and bright below; its map is hot on the left and cold on the right.
SEEN = np.repeat(np.array([[100], [200]], np.uint8), 16, axis=0).repeat(32, axis=1)
HEAT = [[1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0]] * 7
# What a DICOM file shows: the grey level is the column.
RAMP = np.tile(np.arange(256, dtype=np.uint8), (192, 1))


class Film(NamedTuple):
    """A file, and what the stub answers for it.

    Attributes:
        name: of the file.
        data: its bytes; the stub knows it by them.
        answer: the JSON of the answer.
        status: of the answer.
    """

    name: str
    data: bytes
    answer: dict[str, Any]
    status: int = 200


def png(pixels: np.ndarray) -> str:
    return base64.b64encode(encode(pixels, ".png")).decode()


def answered(name: str, data: bytes, probability: float, **other: Any) -> Film:
    label = "PNEUMONIA" if probability >= THRESHOLD else "NORMAL"
    answer = {
        "probability": probability,
        "threshold": THRESHOLD,
        "label": label,
        "model_version": "3",
        "heatmap": HEAT,
        "seen": png(SEEN),
        "film": None,
    }
    return Film(name, data, {**answer, **other})


def twenty_films() -> list[Film]:
    """18 films that a browser can show, a DICOM file and a broken one, in no order."""
    names = {
        3: "<img src=x onerror=alert(1)>.jpeg",
        5: "=1+1.jpeg",
        7: 'left, "upright".png',
        11: "a name as long as archives have them " + 8 * "without_end_" + ".jpeg",
    }
    films = []
    for number in range(18):
        name = names.get(number, f"film-{number:02d}.jpeg")
        data = encode(tiny_film(number), Path(name).suffix)
        films.append(answered(name, data, (7 * number % 18 + 1) / 20))
    films.insert(4, answered("film.dcm", dicom(RAMP), 0.97, film=png(RAMP)))
    films.insert(9, Film("broken.jpeg", b"no film", {"error": BROKEN}, 400))
    return films


@dataclass
class Stub:
    """A server that answers as it is told, and what it was asked.

    Attributes:
        films: what it knows.
        token: what it asks for, if anything.
        busy: bodies that are told once to come again.
        held: bodies that are answered when `release` is set.
        status: of /about.
        largest: bytes of a body.
        asked: bodies, as they came.
        most: how many were under way at once.
    """

    films: list[Film]
    token: str | None = None
    busy: set[bytes] = field(default_factory=set)
    held: set[bytes] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    status: int = 200
    largest: int = 10_000_000
    asked: list[bytes] = field(default_factory=list)
    most: int = 0
    url: str = ""
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def about(self) -> tuple[int, dict[str, Any]]:
        if self.status != 200:
            return self.status, {"error": "The model is being loaded."}
        return 200, {
            "model": "pneumonia",
            "version": "3",
            "threshold": THRESHOLD,
            "report": True,
            "notice": NOTICE,
            "max_body_bytes": self.largest,
            "token_required": self.token is not None,
        }

    def reading(self, body: bytes) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.asked.append(body)
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            busy = body in self.busy
            self.busy.discard(body)
        if body in self.held:
            self.release.wait(20)
        time.sleep(0.01)  # so that requests meet
        with self._lock:
            self._under_way -= 1
        if busy:
            return 429, {"error": "The server is busy."}
        film = next(film for film in self.films if film.data == body)
        return film.status, film.answer


def handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.lstrip("/") or "index.html"
            if name in TYPES:
                self._send(200, TYPES[name], (PAGE / name).read_bytes())
            elif not self._may():
                self._json(401, {"error": "The token is missing or wrong."})
            elif name == "about":
                self._json(*stub.about())
            else:
                self._send(200, "text/html", b"<title>The report</title>")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/readings"
            assert self.headers["Content-Type"] == "application/octet-stream"
            if self._may():
                self._json(*stub.reading(body))
            else:
                self._json(401, {"error": "The token is missing or wrong."})

        def _may(self) -> bool:
            return stub.token is None or self.headers["Authorization"] == f"Bearer {stub.token}"

        def _json(self, status: int, answer: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(answer).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("X-Content-Type-Options", "nosniff")
                if status == 429:
                    self.send_header("Retry-After", "1")
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a request that the page gave up

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """Serves on a free port of this machine; the stub says where."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(stub)) as server:
        server.daemon_threads = True
        stub.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            stub.release.set()
            server.shutdown()
            thread.join()
