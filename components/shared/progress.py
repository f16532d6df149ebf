"""How a long node tells how far it is, to whoever listens in the same process.

Executors and Beam workers call `advance`; a command line subscribes with `listen`. Where nobody
listens (a worker process, a container) a call costs nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Called with (what is being done, units done since the last call, units in all or None).
Listener = Callable[[str, int, int | None], None]

_listeners: list[Listener] = []


def advance(task: str, done: int, total: int | None = None) -> None:
    """Reports `done` more units of `task`; `total` is all of them, where it is known."""
    for listener in _listeners:
        listener(task, done, total)


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Sends every report made inside the block to `listener`."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
