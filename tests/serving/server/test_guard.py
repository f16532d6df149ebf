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


def status(folder: Path, path: str, host: bytes, receive: Any = _all_at_once) -> int:
    """Asks for a path without the token; 200 says that the request came through."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", host)],
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
