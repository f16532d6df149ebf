"""How many bytes of requests' bodies are held at a time, REST's and gRPC's together."""

from collections.abc import Iterator
from contextlib import contextmanager

from serving.server.errors import Refusal, RequestError


class Bodies:
    """The room that there is for bodies; to be used from one event loop."""

    def __init__(self, limit: int) -> None:
        """Takes how many bytes it has."""
        self._limit, self._held = limit, 0

    @contextmanager
    def room(self) -> Iterator["Room"]:
        """Gives what one request takes its room from, until it has been answered."""
        room = Room(self)
        try:
            yield room
        finally:
            self._held -= room.size

    def take(self, size: int) -> None:
        """Takes so many bytes; see `Room.take`."""
        if self._held + size > self._limit:
            raise RequestError(Refusal.BUSY, "There is no room for the body: ask again later.")
        self._held += size


class Room:
    """What one request holds.

    Attributes:
        size: bytes.
    """

    def __init__(self, bodies: Bodies) -> None:
        """Takes what it is a part of."""
        self._bodies, self.size = bodies, 0

    def take(self, size: int) -> None:
        """Takes so many bytes more.

        Raises:
            RequestError: there is no room.
        """
        self._bodies.take(size)
        self.size += size
