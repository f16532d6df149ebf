"""Real TensorFlow Serving, where it is there."""

import ipaddress
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from components.shared.errors import InputError

TF_SERVING, DOCKER, EMBEDDED = "tf-serving", "docker", "embedded"
# The release that goes with the TensorFlow that trains.
_IMAGE = "tensorflow/serving:2.16.1"
_BINARY = "tensorflow_model_server"
_ENGINE = "docker"
_ENGINE_TIMEOUT_S = 10


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int
    grpc_port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def written(self, port: int) -> str:
        """Returns the host with a port, as in a URL."""
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


def choose(wanted: str, only_embedded: bool) -> str:
    """Returns the backend to use.

    Args:
        wanted: one of the three, or `auto`.
        only_embedded: whether more is asked for than TensorFlow Serving can do.

    Raises:
        InputError: the one that is wanted is not there, or cannot do it.
    """
    there: dict[str, Callable[[], bool]] = {TF_SERVING: has_binary, DOCKER: has_engine}
    if wanted in there and only_embedded:
        raise InputError(
            f"--backend {wanted}: TensorFlow Serving asks for no token, so it serves this machine "
            "alone, without CXR_TOKEN; --backend embedded serves others."
        )
    if wanted == TF_SERVING and not has_binary():
        raise InputError(f"--backend {wanted}: there is no {_BINARY} on the PATH.")
    if wanted == DOCKER and not has_engine():
        raise InputError(f"--backend {wanted}: no Docker engine answers.")
    if wanted == "auto":
        found = [] if only_embedded else [name for name, is_there in there.items() if is_there()]
        return (found or [EMBEDDED])[0]
    return wanted


def has_binary() -> bool:
    """Whether TensorFlow Serving is on the PATH."""
    return shutil.which(_BINARY) is not None


def has_engine() -> bool:
    """Whether a Docker engine answers."""
    if shutil.which(_ENGINE) is None:
        return False
    command = [_ENGINE, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_ENGINE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def binary_command(model: Path, address: Address) -> list[str]:
    """Returns the command of TensorFlow Serving; it has no way to bind a host."""
    return [
        _BINARY,
        f"--rest_api_port={address.port}",
        f"--port={address.grpc_port}",
        f"--model_name={model.name}",
        f"--model_base_path={model}",
    ]


def docker_command(model: Path, address: Address) -> list[str]:
    """Returns the command of TensorFlow Serving's image, with its ports on the host alone."""
    mount = f'type=bind,"source={model}","target=/models/{model.name}",readonly'
    return [
        _ENGINE,
        "run",
        "--rm",
        f"--publish={address.written(address.port)}:8501",
        f"--publish={address.written(address.grpc_port)}:8500",
        f"--mount={mount}",
        f"--env=MODEL_NAME={model.name}",
        _IMAGE,
    ]
