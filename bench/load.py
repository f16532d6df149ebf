"""Clients that ask a server for films, in a process that does nothing else.

    python -m bench.load --port 8501 --bodies FOLDER --clients 8 --requests 400

What is sent is made before the clock starts, connections are kept, and answers are only counted: on
a machine of few cores each that this takes is missing to the server. Prints one JSON object: the
requests a second, the milliseconds that half of them took at most, and how many were refused.
"""

import argparse
import json
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_PATH = "/v1/models/{model}:predict"


def request(model: str, body: bytes) -> bytes:
    """Returns the bytes of a request."""
    path = _PATH.format(model=model)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def status(connection: socket.socket) -> int:
    """Reads one answer to its end and returns its status."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    (length,) = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    missing = length - len(body)
    while missing > 0:
        missing -= len(_more(connection))
    return int(lines[0].split()[1])


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the server has closed the connection")
    return received


def ask(
    port: int, messages: Sequence[bytes], clients: int, requests: int
) -> tuple[float, list[float], int]:
    """Sends so many requests over so many connections, each as soon as the one before is answered.

    Returns:
        The seconds of all, the seconds of each, and how many were answered with another status
        than 200.
    """
    numbers: Iterator[int] = iter(range(requests))
    seconds: list[float] = []
    refused: list[int] = []

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in numbers:
                started = time.perf_counter()
                connection.sendall(messages[number % len(messages)])
                found = status(connection)
                seconds.append(time.perf_counter() - started)
                if found != 200:
                    refused.append(found)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, seconds, len(refused)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", default="pneumonia")
    parser.add_argument("--bodies", type=Path, required=True, help="folder of request bodies")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    options = parser.parse_args()
    bodies = [path.read_bytes() for path in sorted(options.bodies.iterdir())]
    messages = [request(options.model, body) for body in bodies]
    taken, seconds, refused = ask(options.port, messages, options.clients, options.requests)
    found = {
        "rate": len(seconds) / taken,
        "p50_ms": 1000 * statistics.median(seconds),
        "answered": len(seconds),
        "refused": refused,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
