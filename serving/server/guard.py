"""What stands before every HTTP request: host, token, bodies, how many at once; and its headers."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from serving.server.bodies import Room
from serving.server.errors import Refusal, RequestError
from serving.server.limits import Limits
from serving.server.service import Service
from serving.server.tensors import invalid

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Without a token: the page, which asks for it, and what a cluster asks whether the server lives.
OPEN = frozenset({"/", "/page.js", "/page.css", "/healthz", "/readyz"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Of a refused request as much of the body is read and dropped, so that the client, which sends
# first and then reads, sees the refusal.
_DROPPED_BYTES = 256 * 2**20
_DROPPED_SECONDS = 10.0
_RETRY_AFTER_S = "1"


def error_response(error: RequestError) -> Response:
    """Returns the error in TensorFlow Serving's form."""
    response = JSONResponse({"error": str(error)}, error.refusal.http)
    if error.refusal is Refusal.BUSY:
        response.headers["Retry-After"] = _RETRY_AFTER_S
    if error.refusal is Refusal.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def read_body(request: Request, room: Room, limits: Limits) -> bytes:
    """Returns the body of a request, unpacked, for which it takes room part by part.

    Raises:
        RequestError: it is too large, too slow, packed otherwise than by gzip, or there is no room.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared[:20]) > limits.body_bytes:
        raise _too_large(limits)
    try:
        body = await asyncio.wait_for(_collect(request, room, limits), limits.body_seconds)
    except asyncio.TimeoutError as error:
        raise limits.too_slow() from error
    except ClientDisconnect as error:
        raise RequestError(Refusal.TIMEOUT, "The client went away.") from error
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise invalid("The body's Content-Encoding is neither gzip nor identity.")
    # As it ends it says how large it is to be.
    size = int.from_bytes(body[-4:], "little")
    if size > limits.body_bytes:
        raise _too_large(limits)
    room.take(size)
    return await asyncio.to_thread(_unpacked, body, size)


def _unpacked(body: bytes, size: int) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        data = unpacking.decompress(body, size + 1)
    except zlib.error as error:
        raise invalid("The body is no gzip.") from error
    if len(data) != size or not unpacking.eof or unpacking.unused_data:
        raise invalid("The body is no gzip of one member.")
    return data


async def _collect(request: Request, room: Room, limits: Limits) -> bytes:
    parts: list[bytes] = []
    async for part in request.stream():
        if room.size + len(part) > limits.body_bytes:
            raise _too_large(limits)
        room.take(len(part))
        parts.append(part)
    return b"".join(parts)


def _too_large(limits: Limits) -> RequestError:
    return RequestError(Refusal.TOO_LARGE, f"The body is larger than {limits.body_bytes} bytes.")


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: App, service: Service, hosts: frozenset[str] | None) -> None:
        """Takes the application, and the names that the server is asked for by, if not any."""
        self._app, self._service, self._hosts = app, service, hosts

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request."""
        exchange = _Exchange(receive, send)
        started = time.perf_counter()
        try:
            self._check(Request(scope))
            # What asks whether the server lives is answered however many others ask.
            with self._service.admitted() if scope["method"] == "POST" else nullcontext():
                await self._app(scope, exchange.receive, exchange.send)
        except RequestError as error:
            await error_response(error)(scope, exchange.receive, exchange.send)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", "none")
            self._service.metrics.request(
                "rest", endpoint, str(exchange.status), time.perf_counter() - started
            )

    def _check(self, request: Request) -> None:
        """Raises RequestError for a foreign host or page, two lengths, or a missing token."""
        host = request.headers.get("host", "").rpartition("@")[2]
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if self._hosts is not None and name.lower() not in self._hosts:
            # A page of elsewhere whose name was made to mean this machine.
            raise RequestError(Refusal.WRONG_HOST, "This server goes by another name.")
        if _is_of_another_page(request):
            raise RequestError(Refusal.FOREIGN, "This server answers no page but its own.")
        if {"content-length", "transfer-encoding"} <= set(request.headers.keys()):
            # What stands between may go by the other one, and take the rest for a request.
            raise invalid("The request has both Content-Length and Transfer-Encoding.")
        # Not the URL's: that begins with the header Host, which may hold anything.
        if request.scope["path"] not in OPEN:
            self._service.check_token(request.headers.get("authorization"))


def _is_of_another_page(request: Request) -> bool:
    """Whether a browser asks for a page of another site, which may have it ask for anything.

    To follow a link to this server is no such request.
    """
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if site is None:  # not a browser, an old one, or no secure address
        origin = headers.get("origin")
        return origin is not None and origin.rpartition("/")[2] != headers.get("host")
    if site in ("same-origin", "none"):
        return False
    return request.method != "GET" or headers.get("sec-fetch-mode") != "navigate"


class _Exchange:
    """One request's messages, with the headers added and the body read before an answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._more = True
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self.status != Refusal.TIMEOUT.http:  # then the body has been waited for
                await self._drop_body()
        await self._send(message)

    async def _drop_body(self) -> None:
        deadline = time.monotonic() + _DROPPED_SECONDS
        dropped = 0
        while self._more and dropped < _DROPPED_BYTES and time.monotonic() < deadline:
            try:
                message = await asyncio.wait_for(self.receive(), deadline - time.monotonic())
            except asyncio.TimeoutError:
                return
            dropped += len(message.get("body", b""))
