"""What stands before the requests, asked by raw ASGI."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serving.server.guard import OPEN, Guard
from serving.server.limits import Limits
from serving.server.service import Service


def status(folder: Path, path: str, host: bytes) -> int:
    """Asks for a path without the token; 200 says that the request came through."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

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
    guard = Guard(app, Service(folder, "open-sesame", Limits()), None)
    asyncio.run(guard(scope, receive, send))
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
