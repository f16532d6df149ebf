"""The embedded server beside the bare forward pass of the SavedModel that it serves.

    python -m bench.serving --run runs/default

The bare model is in this process, the server and its clients in one each. They take turns, so that
a machine that slows down does so for all; each figure is the median of the rounds. Prints tables,
and as the last line the figures behind them as JSON.
"""

import argparse
import base64
import contextlib
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from bench.runs import examples, newest_model
from bench.speed import last_json, machine, timed
from components.shared.features import IMAGE, IMAGE_BYTES, SIGNATURE_BYTES, TEST
from components.shared.record import decode

_FILMS = 32
_BATCHES = (1, 2, 4, 8, 16, 32)
_CLIENTS = (1, 8, 32)
_MEMORY_STEPS = 10


def read_films(run: Path) -> list[bytes]:
    """Returns films of the test split."""
    records = itertools.islice(examples(run, TEST), _FILMS)
    return [decode(record, IMAGE)[IMAGE] for record in records]


def write_bodies(films: list[bytes], folder: Path) -> None:
    """Writes a request's body for each film."""
    for number, film in enumerate(films):
        row = {IMAGE_BYTES: {"b64": base64.b64encode(film).decode()}}
        body = {"signature_name": SIGNATURE_BYTES, "instances": [row]}
        (folder / f"{number:03}.json").write_text(json.dumps(body))


@contextlib.contextmanager
def server(model: Path) -> Iterator[tuple[int, int]]:
    """Runs `cxr serve`; gives its process and its port once it is ready."""
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--backend", "embedded"]
    process = subprocess.Popen(
        [*command, "--model", str(model), "--port", "0", "--grpc-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if found := re.match(r"Page and REST: .*:(\d+)$", line):
                port = int(found[1])
            if re.match("Version .* is served", line):
                break
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


class Bare:
    """The forward pass of the SavedModel, with nothing around it."""

    def __init__(self, folder: str, films: list[bytes], requests: int) -> None:
        """Loads the model; `requests` films are read for each figure."""
        self._loaded = tf.saved_model.load(folder)
        self._films, self._requests = films, requests
        for size in _BATCHES:  # the first run of a size prepares for it
            self._seconds(size)

    def _seconds(self, size: int) -> float:
        """Returns the median seconds of a batch of this size."""
        serve = self._loaded.signatures[SIGNATURE_BYTES]
        seconds = []
        for count in range(max(3, self._requests // size)):
            at = count * size % len(self._films)
            batch = tf.constant((self._films * 2)[at : at + size])
            started = time.perf_counter()
            serve(**{IMAGE_BYTES: batch})
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)

    def measure(self) -> dict[int, float]:
        """Returns the seconds of a batch of each size."""
        return {size: self._seconds(size) for size in _BATCHES}


def load(port: int, model: str, bodies: Path, clients: int, requests: int) -> Any:
    """Has the server asked; see `bench.load`."""
    command = [sys.executable, "-m", "bench.load", f"--port={port}", f"--model={model}"]
    arguments = [f"--bodies={bodies}", f"--clients={clients}", f"--requests={requests}"]
    return last_json(timed([*command, *arguments])[1])


def memory_mib(process: int) -> float:
    """Returns what the process keeps in memory."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def measure(options: argparse.Namespace, bodies: Path) -> dict[str, Any]:
    """Takes all figures; see `tables`."""
    folder = newest_model(options.run)
    films = read_films(options.run)
    write_bodies(films, bodies)
    bare = Bare(folder, films, options.requests)
    model = Path(folder).parent
    with server(model) as (process, port):
        for clients in _CLIENTS:  # prepares for the batches that they make
            load(port, model.name, bodies, clients, 4 * max(_CLIENTS))
        rounds = []
        for _ in range(options.rounds):
            asked = {
                clients: load(port, model.name, bodies, clients, options.requests)
                for clients in _CLIENTS
            }
            rounds.append({"bare": bare.measure(), "server": asked})
        memory = [memory_mib(process)]
        for _ in range(_MEMORY_STEPS):
            load(port, model.name, bodies, 8, options.memory_requests // _MEMORY_STEPS)
            memory.append(memory_mib(process))
    return {"machine": machine(), "rounds": rounds, "memory_mib": memory}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns medians of the rounds.

    Returns:
        `bare_ms` of one film, `bare_rate`, films a second of the best batch, `batch`, its size;
        and for each number of clients `p50_ms` and `rate`.
    """
    rates = {
        size: statistics.median(size / one["bare"][size] for one in rounds) for size in _BATCHES
    }
    batch = max(_BATCHES, key=lambda size: rates[size])
    return {
        "bare_ms": 1000 * statistics.median(one["bare"][1] for one in rounds),
        "batch": batch,
        "bare_rate": rates[batch],
        "clients": {
            clients: {
                key: statistics.median(one["server"][clients][key] for one in rounds)
                for key in ("p50_ms", "rate")
            }
            for clients in _CLIENTS
        },
        "refused": sum(one["server"][clients]["refused"] for one in rounds for clients in _CLIENTS),
    }


def tables(found: dict[str, Any]) -> str:
    """Returns the results as Markdown."""
    short, memory = summary(found["rounds"]), found["memory_mib"]
    rows = [
        ", ".join(f"{key} {value}" for key, value in found["machine"].items()),
        "",
        f"Bare forward pass: {short['bare_ms']:.1f} ms for one film, {short['bare_rate']:.1f} "
        f"films/s in batches of {short['batch']}, the best of {_BATCHES}.",
        "",
        "| clients | p50, ms | of the bare pass of one film | films/s | of the best bare rate |",
        "|---|---|---|---|---|",
        *(
            f"| {clients} | {asked['p50_ms']:.1f} | {asked['p50_ms'] / short['bare_ms']:.2f} "
            f"| {asked['rate']:.1f} | {asked['rate'] / short['bare_rate']:.2f} |"
            for clients, asked in short["clients"].items()
        ),
        "",
        f"Refused: {short['refused']}. Memory before the last requests and after each tenth of "
        f"them, MiB: {', '.join(f'{value:.0f}' for value in memory)}.",
    ]
    return "\n".join(rows)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of cxr run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=320, help="for each figure of a round")
    parser.add_argument("--memory-requests", type=int, default=10_000, help="while memory is read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as bodies:
        found = measure(options, Path(bodies))
    print(tables(found))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
