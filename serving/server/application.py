"""The embedded server: both interfaces and the watch over the model, in one event loop."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from components.shared.errors import InputError
from serving.server import grpc_service
from serving.server.backends import Address
from serving.server.decoder import Decoder
from serving.server.errors import Refusal, RequestError
from serving.server.guard import Guard, error_response
from serving.server.limits import Limits
from serving.server.pages import Pages
from serving.server.readings import Readings
from serving.server.rest import Rest
from serving.server.service import Service

_LOG = logging.getLogger(__name__)
# What was begun is answered before the process ends.
_GRACE_S = 30
_KEEP_ALIVE_S = 30
_HEADER_S = 10.0
_BACKLOG = 2048
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class Settings(NamedTuple):
    """What is served, and where.

    Attributes:
        model: folder of versions.
        address: where to listen; a port of 0 takes a free one.
        token: that requests must bear, if any.
        limits: of what a request may ask.
    """

    model: Path
    address: Address
    token: str | None = None
    limits: Limits = Limits()


class Server:
    """The embedded server."""

    def __init__(self, settings: Settings) -> None:
        """Takes the settings."""
        self._settings = settings
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, started: Callable[[int, int], None]) -> None:
        """Serves until `stop`.

        Args:
            started: called once with the ports of REST and gRPC.

        Raises:
            InputError: a port cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        _raise_file_limit()
        address = self._settings.address
        service = Service(self._settings.model, self._settings.token, self._settings.limits)
        # Before there are threads: it forks.
        decoder = Decoder()
        listener = _listen(address)
        try:
            grpc_server, grpc_port = grpc_service.build(service, address.written(address.grpc_port))
        except RuntimeError as error:
            listener.close()
            raise _cannot_bind("--grpc-port", address.grpc_port, address.host) from error
        hosts = frozenset({address.host, *_LOCAL_HOSTS}) if address.is_loopback else None
        http = _Http(_uvicorn_config(Guard(_application(service, decoder), service, hosts)))
        service.versions.start()
        await grpc_server.start()
        try:
            serving = asyncio.create_task(http.serve(sockets=[listener]))
            started(listener.getsockname()[1], grpc_port)
            await self._stopped.wait()
            http.should_exit = True
            await asyncio.gather(serving, grpc_server.stop(_GRACE_S))
        finally:
            decoder.close()
            await asyncio.to_thread(service.versions.stop)

    def stop(self) -> None:
        """Ends `serve`, after what was begun has been answered; from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._stopped.set)


def run(settings: Settings, started: Callable[[int, int], None]) -> None:
    """Serves until SIGINT or SIGTERM; see `Server.serve`."""

    async def until_signal() -> None:
        server = Server(settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.serve(started)

    asyncio.run(until_signal())


def _application(service: Service, decoder: Decoder) -> Starlette:
    readings = Readings(service, decoder)
    return Starlette(
        routes=[
            *Rest(service).routes(),
            Route("/readings", readings.read, methods=["POST"]),
            *Pages(service).routes(),
        ],
        exception_handlers={
            RequestError: _refused,
            HTTPException: _no_such_path,
            Exception: _failed,
        },
    )


def _refused(request: Request, error: Any) -> Response:
    return error_response(error)


def _no_such_path(request: Request, error: Any) -> Response:
    refusal = Refusal.NOT_ALLOWED if error.status_code == 405 else Refusal.NOT_FOUND
    response = error_response(
        RequestError(refusal, f"Malformed request: {request.method} {request.scope['path']}")
    )
    response.headers.update(error.headers or {})
    return response


def _failed(request: Request, error: Exception) -> Response:
    return error_response(RequestError(Refusal.INTERNAL, "The server failed."))


def _uvicorn_config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Http(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to `run`, which has gRPC to end too."""
        yield


class _Protocol(H11Protocol):
    """Closes a connection whose next request does not come whole in time, byte after byte."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait_for_header()
        elif self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(_HEADER_S, self.transport.close)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio has an answer's parts sent at once, without a delay of 40 ms between its header and
    # its body, only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_bind("--port", address.port, address.host) from error
    return listener


def _cannot_bind(option: str, port: int, host: str) -> InputError:
    return InputError(f"{option} {port} cannot be used on {host}: is another server there?")


def _raise_file_limit() -> None:
    """Takes as many files as are allowed: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
