"""Many films at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from components.films.errors import FilmError
from serving.client.answers import Answer
from serving.client.films import load
from serving.client.servers import Server


class Reading(NamedTuple):
    """One film: its answer, or why there is none."""

    path: Path
    answer: Answer | None
    error: str | None


class Client:
    """Reads films and asks a server for them, several at a time."""

    def __init__(self, server: Server, concurrency: int = 8) -> None:
        """Takes the server, and how many requests may be under way at once."""
        self._server, self._concurrency = server, concurrency

    def read(self, path: Path) -> Reading:
        """Asks for one film.

        Raises:
            ServerError: the server cannot be used.
        """
        try:
            return Reading(path, self._server.ask(load(path, self._server.limits)), None)
        except FilmError as error:
            return Reading(path, None, str(error))

    def read_all(
        self, paths: Sequence[Path], done: Callable[[], None] = lambda: None
    ) -> Iterator[Reading]:
        """Yields each film's reading, in the order of the paths.

        Args:
            paths: of the films.
            done: called after each.

        Raises:
            ServerError: the server cannot be used; what is not under way is not asked any more.
        """
        with ThreadPoolExecutor(self._concurrency) as pool:
            futures = [pool.submit(self.read, path) for path in paths]
            try:
                for future in futures:
                    yield future.result()
                    done()
            finally:
                for future in futures:
                    future.cancel()
