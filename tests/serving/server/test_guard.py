"""What stands before the requests, asked by raw ASGI."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from serving.server import guard
from serving.server.bodies import Bodies
from serving.server.errors import Refusal, RequestError
from serving.server.guard import OPEN, Guard, read_body
from serving.server.limits import Limits
from serving.server.service import Service


async def _all_at_once() -> Any:
    return {"type": "http.request", "body": b""}


def status(
    folder: Path,
    path: str,
    host: bytes,
    receive: Any = _all_at_once,
    *,
    method: str = "GET",
    **headers: str,
) -> int:
    """Asks for a path without the token; 200 says that the request came through."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", host),
            *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
        ],
        "server": ("10.0.0.1", 8501),
    }
    guarded = Guard(app, Service(folder, "open-sesame", Limits()), None)
    asyncio.run(asyncio.wait_for(guarded(scope, receive, send), 10.0))
    return int(sent[0]["status"])


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_paths(tmp_path: Path, path: str) -> None:
    assert status(tmp_path, path, b"x") == 200


@pytest.mark.parametrize("host", [b"x", b"x/?", b"x/healthz?", b"x/healthz#", b"x/page.js;", b""])
@pytest.mark.parametrize(
    "path",
    ["/about", "/readings", "/v1/models/pneumonia", "/healthz?x", "/healthz#", "/?", "//x/healthz"],
)
def test_nothing_else_is_open_whatever_the_host(tmp_path: Path, path: str, host: bytes) -> None:
    assert status(tmp_path, path, host) == 401


FOREIGN = [
    ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
    ("GET", {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, 403),
    ("POST", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 403),
    ("POST", {"origin": "https://evil.example"}, 403),
    ("POST", {"origin": "null"}, 403),
    ("POST", {"origin": "http://127.0.0.1:9999"}, 403),
    ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),
    ("POST", {"sec_fetch_site": "same-origin", "origin": "https://outside.example"}, 200),
    ("POST", {"sec_fetch_site": "none"}, 200),
    ("POST", {"origin": "http://127.0.0.1:8501"}, 200),
    ("POST", {}, 200),
]


@pytest.mark.parametrize(("method", "headers", "expected"), FOREIGN)
def test_no_page_but_its_own_is_answered(
    tmp_path: Path, method: str, headers: dict[str, str], expected: int
) -> None:
    assert status(tmp_path, "/", b"127.0.0.1:8501", method=method, **headers) == expected


def test_two_lengths_of_a_body_are_refused(tmp_path: Path) -> None:
    lengths = {"content_length": "4", "transfer_encoding": "chunked"}
    assert status(tmp_path, "/", b"x", method="POST", **lengths) == 400
    for name, value in lengths.items():
        assert status(tmp_path, "/", b"x", method="POST", **{name: value}) == 200


def test_the_rest_of_a_refused_request_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_DROPPED_SECONDS", 0.2)
    parts = [b"1", b"2"]

    async def receive() -> Any:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": True}

    assert status(tmp_path, "/readings", b"x", receive) == 401
    assert parts == []


@pytest.mark.parametrize("declared", [b"20001", b"9" * 5000, b"2e4", b"-1", b""])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(declared: bytes) -> None:
    async def receive() -> Any:
        raise AssertionError("the body is read")

    async def read() -> bytes:
        request = Request({"type": "http", "headers": [(b"content-length", declared)]}, receive)
        with Bodies(30_000).room() as room:
            return await read_body(request, room, Limits(body_bytes=20_000))

    with pytest.raises(RequestError, match="larger than 20000 bytes") as caught:
        asyncio.run(read())
    assert caught.value.refusal is Refusal.TOO_LARGE
