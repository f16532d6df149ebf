"""`cxr serve`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from components.shared.errors import InputError
from components.shared.notice import NOTICE
from components.shared.versions import GRAPH_FILE
from serving.client import TOKEN_VARIABLE
from serving.server import backends
from serving.server.backends import Address

_PAGE_HINT = "No page: TensorFlow Serving has none; --backend embedded serves one at /."
_OPEN_HINT = (
    "tensorflow_model_server listens on every interface, not on --host alone, and asks for no "
    "token; --backend embedded listens on --host alone."
)


def run(model: Path, address: Address, backend: str, environment: Mapping[str, str]) -> None:
    """Serves the model until a signal; with TensorFlow Serving, in place of this process.

    Args:
        model: folder of the model's versions.
        address: to listen on.
        backend: `auto`, `tf-serving`, `docker` or `embedded`.
        environment: of the process; may hold a token.

    Raises:
        InputError: a setting cannot be used.
    """
    model = _model_folder(model)
    for option, port in (("--port", address.port), ("--grpc-port", address.grpc_port)):
        if not 0 <= port <= 65535:
            raise InputError(f"{option} is {port}: it should be 0 to 65535.")
    token = environment.get(TOKEN_VARIABLE)
    if token is not None and (not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(f"{TOKEN_VARIABLE} holds what no HTTP header can bear.")
    if not token and not address.is_loopback:
        raise InputError(
            f"--host {address.host} can be reached by others: give a token, in the environment "
            f"variable {TOKEN_VARIABLE}."
        )
    backend = backends.choose(backend, bool(token) or not address.is_loopback)
    if backend != backends.EMBEDDED:
        _replace_process(backend, model, address)
    _serve(model, address, token or None)


def _serve(model: Path, address: Address, token: str | None) -> None:
    from serving.server.application import Settings, run

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    run(Settings(model, address, token), lambda *ports: _announce(address, *ports))


def _model_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"--model {folder} does not exist or is no folder.")
    if (folder / GRAPH_FILE).exists():
        raise InputError(f"--model {folder} is one version: give the folder of versions it is in.")
    return folder.resolve()


def _replace_process(backend: str, model: Path, address: Address) -> None:
    if backend == backends.TF_SERVING:
        command = backends.binary_command(model, address)
        print(_OPEN_HINT)
    else:
        command = backends.docker_command(model, address)
    print(_PAGE_HINT, flush=True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}.") from error


def _announce(address: Address, port: int, grpc_port: int) -> None:
    print(NOTICE)
    print(f"Page and REST: http://{address.written(port)}")
    print(f"gRPC: {address.written(grpc_port)}", flush=True)
