"""Which version of the model answers: the newest in the folder that can be served."""

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from components.shared.versions import local_versions

_LOG = logging.getLogger(__name__)
_UNKNOWN = 2  # google.rpc.Code.UNKNOWN, as TensorFlow Serving has for what failed to load


class Servable(Protocol):
    """What a version is once it is loaded."""

    def close(self) -> None:
        """Frees it."""


S = TypeVar("S", bound=Servable)


class State(NamedTuple):
    """Of a version, in the words of TensorFlow Serving's `ModelVersionStatus`."""

    name: str
    code: int = 0
    message: str = ""


@dataclass(eq=False)
class Held(Generic[S]):
    """A loaded version, and how many requests hold it."""

    number: int
    servable: S
    requests: int = 0


class Versions(Generic[S]):
    """Loads what appears in the folder, and lets requests hold what is served.

    A version that cannot be loaded is left alone until one of its files changes, and what was
    served before goes on. Of the version that is replaced no request is lost: it is freed when the
    last one that holds it has its answer. When the newest version is taken away, the one before
    takes its place; when all are, the loaded one goes on.
    """

    def __init__(self, folder: Path, load: Callable[[Path], S], poll_s: float = 1.0) -> None:
        """Takes the folder of versions, what loads one, and how often to look; see `start`."""
        self._folder, self._load, self._poll_s = folder, load, poll_s
        self._lock = threading.Lock()
        self._current: Held[S] | None = None
        self._retired: list[Held[S]] = []
        self._failed: dict[int, object] = {}
        self._states: dict[int, State] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)

    def start(self) -> None:
        """Looks at once, and again and again in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and frees every version; no request may hold one any more."""
        self._stopped.set()
        self._thread.join()
        with self._lock:
            held = [*self._retired, *filter(None, [self._current])]
            self._retired, self._current = [], None
        for version in held:
            version.servable.close()

    @contextmanager
    def hold(self, number: int | None = None) -> Iterator[Held[S]]:
        """Keeps a version from being freed.

        Args:
            number: of the version; None means the one that is served.

        Raises:
            LookupError: it is not served.
        """
        with self._lock:
            held = self._current
            if held is None or number not in (None, held.number):
                raise LookupError(number)
            held.requests += 1
        try:
            yield held
        finally:
            with self._lock:
                held.requests -= 1

    def states(self) -> dict[int, State]:
        """Returns the state of each version, the newest first."""
        with self._lock:
            return dict(sorted(self._states.items(), reverse=True))

    @property
    def ready(self) -> bool:
        """Whether a version is served."""
        return self._current is not None

    def look(self) -> None:
        """Loads the newest version that can be, where it is not served yet; frees what it can."""
        self._free()
        for number, path in sorted(self._found().items(), reverse=True):
            if self._current and number == self._current.number:
                return
            if self._try(number, path):
                return

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception:  # such as a folder that cannot be read for a while
                _LOG.exception("The folder of versions could not be looked at.")
            self._stopped.wait(self._poll_s)

    def _found(self) -> dict[int, Path]:
        return {int(name): self._folder / name for name in local_versions(self._folder)}

    def _try(self, number: int, path: Path) -> bool:
        files = _fingerprint(path)
        if self._failed.get(number) == files:
            return False
        self._note(number, State("LOADING"))
        try:
            servable = self._load(path)
        except Exception as error:
            self._failed[number] = files
            reason = _one_line(error)
            self._note(number, State("END", _UNKNOWN, reason))
            _LOG.warning("Version %d cannot be served: %s", number, reason)
            return False
        self._failed.pop(number, None)
        with self._lock:
            if self._current:
                self._retired.append(self._current)
                self._states[self._current.number] = State("UNLOADING")
            self._current = Held(number, servable)
            self._states[number] = State("AVAILABLE")
        _LOG.info("Version %d is served.", number)
        return True

    def _note(self, number: int, state: State) -> None:
        with self._lock:
            self._states[number] = state

    def _free(self) -> None:
        with self._lock:
            freed = [held for held in self._retired if not held.requests]
            self._retired = [held for held in self._retired if held.requests]
        for held in freed:
            held.servable.close()
            self._note(held.number, State("END"))
        if freed:
            del freed, held
            gc.collect()  # graphs hold one another


def _fingerprint(folder: Path) -> object:
    """Returns what changes when a file of the version does."""
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
