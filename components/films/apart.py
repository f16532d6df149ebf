"""DICOM read in a process of its own.

The decoders of its compressed pictures are large and old: what ends them, or makes them take all
memory or time, must not take the run, the client or the server with it. What they print may hold a
patient's name, and goes nowhere.
"""

import multiprocessing
import os
import resource
import threading
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from components.films import dicom
from components.films.errors import FilmError, NotMeantError
from components.shared.limits import FilmLimits

_SECONDS = 20.0
# A film of 50 million pixels takes 2 GB on its way to 8 bits.
_BYTES = 4 * 2**30
# A process reads so many films, since what decoders lose of memory adds up.
_FILMS = 1000
# How an answer begins: a film, or why there is none, before which comes a NotMeantError's kind.
_FILM, _REFUSED = b"f", b"r"
_BETWEEN = "\0"
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([dicom.__name__])


def prepare() -> None:
    """Starts the process that the others are forked from; the first film does so otherwise."""
    forkserver.ensure_running()


def to_png(data: bytes, limits: FilmLimits, seconds: float = _SECONDS) -> bytes:
    """Returns the film of a DICOM file as PNG; see `components.films.dicom.to_png`.

    Args:
        data: the file's bytes.
        limits: of its bytes and pixels.
        seconds: that it may take.

    Raises:
        FilmError: it is no film, or cannot be decoded.
    """
    reader = _idle.take()
    try:
        answer = reader.ask(data, limits, seconds)
    except BaseException:
        reader.close()
        raise
    _idle.give_back(reader)
    if answer.startswith(_FILM):
        return answer[len(_FILM) :]
    kind, _, message = answer[len(_REFUSED) :].decode().partition(_BETWEEN)
    raise NotMeantError(message, kind) if kind else FilmError(message)


class _Reader:
    """A process that reads one film after another."""

    def __init__(self) -> None:
        self._connection, theirs = _context.Pipe()
        self._process = _context.Process(target=_work, args=(theirs, _BYTES), daemon=True)
        self._process.start()
        theirs.close()
        self._left = _FILMS

    @property
    def usable(self) -> bool:
        """Whether it may be asked for another film."""
        return self._left > 0 and self._process.is_alive()

    def ask(self, data: bytes, limits: FilmLimits, seconds: float) -> bytes:
        """Returns how it answers; after an error it is of no more use."""
        self._left -= 1
        try:
            self._connection.send_bytes(limits.alone().model_dump_json().encode())
            self._connection.send_bytes(data)
            if not self._connection.poll(seconds):
                raise FilmError(f"its pixels cannot be decoded within {seconds:g} s")
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise FilmError("its pixels cannot be decoded") from error

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()


class _Idle:
    """The readers of this process that have nothing to do; there are as many as ask at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: list[_Reader] = []
        self._process = os.getpid()

    def take(self) -> _Reader:
        """Returns a reader that no other thread has."""
        with self._lock:
            if self._process != os.getpid():  # a fork, whose parent has the readers
                self._readers, self._process = [], os.getpid()
            reader = self._readers.pop() if self._readers else None
        if reader is not None and not reader.usable:
            reader.close()
            reader = None
        return reader or _Reader()

    def give_back(self, reader: _Reader) -> None:
        """Keeps a reader for the next film."""
        with self._lock:
            self._readers.append(reader)


_idle = _Idle()


def _work(connection: Connection, memory: int) -> None:
    """Answers for one film after another, until nobody asks any more."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            limits = FilmLimits.model_validate_json(connection.recv_bytes())
            data = connection.recv_bytes()
        except EOFError:
            return
        try:
            answer = _FILM + dicom.to_png(data, limits)
        except FilmError as error:
            kind = error.kind if isinstance(error, NotMeantError) else ""
            answer = _REFUSED + f"{kind}{_BETWEEN}{error}".encode()
        connection.send_bytes(answer)
