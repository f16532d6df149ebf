"""Two ways to have a pod: a process of this machine, and a container of an image."""

import importlib
import multiprocessing
import os
import re
import runpy
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from support.kfp_cluster.driver import OUTPUT_FILE

ENTRYPOINT = "pipeline.runners.kubeflow.entrypoint"
_FOLDERS = ("minio", "s3", "gcs", str(Path(OUTPUT_FILE).parent)[1:])
# Of nobody in particular, as a cluster's pods are.
_USER = os.getuid() or 1000


class Claim(NamedTuple):
    """A volume.

    Attributes:
        folder: its files.
        read_only: whether pods may not write to it.
    """

    folder: Path
    read_only: bool = False


class Order(NamedTuple):
    """What a pod is started with.

    Attributes:
        image: its image.
        command: the command and its arguments.
        env: variables, of which it has no other that matter.
        root: its files: the folders that stand for object stores, and the output's.
        mounts: claims by path.
        log: the file that its output goes to.
    """

    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    root: Path
    mounts: Mapping[str, Claim]
    log: Path


class Pod(Protocol):
    """A pod that was started."""

    def poll(self) -> int | None:
        """Returns the exit status; None while it runs."""

    def kill(self) -> None:
        """Ends it, as a machine that is lost does."""


class Pods(Protocol):
    """A way to start pods.

    Attributes:
        host: of this machine, as pods reach it.
    """

    host: str

    def start(self, order: Order) -> Pod:
        """Starts a pod."""


def clear(root: Path) -> None:
    """Makes the files of a new pod."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)


class Processes:
    """Pods that are processes here; a folder stands for the root of their files."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        # Each is forked from a process that has imported the project and done nothing else: the
        # import takes longer than most nodes do.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([ENTRYPOINT])

    def start(self, order: Order) -> Pod:
        """Starts the module that the command names."""
        for path, claim in order.mounts.items():
            link = order.root / path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(claim.folder, target_is_directory=True)
        if list(order.command[:2]) != ["python", "-m"]:
            raise NotImplementedError(f"the command {order.command}")
        here = [_under(order.root, order.mounts, text) for text in order.command[3:]]
        process = self._context.Process(
            target=_run,
            args=(order.command[2], here, dict(order.env), str(order.root), str(order.log)),
        )
        process.start()
        return _Process(process)


class _Process:
    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _under(root: Path, mounts: Mapping[str, Claim], text: str) -> str:
    """Puts the root before the paths of claims and of the output in an argument."""
    places = "|".join(re.escape(path) for path in (*mounts, str(Path(OUTPUT_FILE).parent)))
    return re.sub(rf'(?<![^"])(?=(?:{places})(?:[/"]|$))', str(root), text)


def _run(
    module: str, arguments: Sequence[str], env: Mapping[str, str], root: str, log: str
) -> None:
    """Becomes the pod."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(env)
    if module != ENTRYPOINT:
        sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    status = importlib.import_module(ENTRYPOINT).main(arguments, root)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Containers:
    """Pods that are containers of their image, on a network that leads to this machine alone."""

    def __init__(self) -> None:
        self._network = f"cxr-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> "Containers":
        docker("network", "create", "--internal", self._network)
        gateway = "{{(index .IPAM.Config 0).Gateway}}"
        self.host = docker("network", "inspect", "--format", gateway, self._network)
        return self

    def __exit__(self, *_: object) -> None:
        docker("network", "rm", self._network)

    def start(self, order: Order) -> Pod:
        """Starts a container."""
        for path in (order.root, *order.root.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        volumes = [f"{order.root / folder}:/{folder}" for folder in _FOLDERS]
        for mount, claim in order.mounts.items():
            claim.folder.chmod(0o755 if claim.read_only else 0o777)
            volumes.append(f"{claim.folder}:{mount}{':ro' if claim.read_only else ''}")
        name = f"{self._network}-{uuid.uuid4().hex[:8]}"
        command = ["docker", "run", "--rm", "--name", name, "--network", self._network]
        command += ["--user", f"{_USER}:{_USER}"]
        command += [option for volume in volumes for option in ("--volume", volume)]
        command += [option for variable in order.env for option in ("--env", variable)]
        with order.log.open("wb") as log:
            process = subprocess.Popen(
                [*command, order.image, *order.command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **order.env},
            )
        return _Container(name, process)


class _Container:
    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self._name, self._process = name, process

    def poll(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        docker("kill", self._name)
        self._process.wait()


def docker(*arguments: str) -> str:
    """Runs `docker`; returns what it wrote."""
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
