"""Ports of loopback that nobody listens on."""

import json
import socket


def free_ports(number: int) -> list[int]:
    """Returns so many different ports; all are found before the first is given back."""
    sockets = [socket.socket() for _ in range(number)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [int(free.getsockname()[1]) for free in sockets]
    for free in sockets:
        free.close()
    return ports


def two_workers() -> list[str]:
    """Returns the TF_CONFIG of each of two workers."""
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [
        json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": number}})
        for number in range(2)
    ]
