"""DICOM read in a process of its own.

The decoders of its compressed pictures are large and old: what ends them, or makes them take all
memory or time, must not take the run, the client or the server with it. What they print may hold a
patient's name, and goes nowhere.
"""

import multiprocessing
import os
import resource
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from components.films import dicom
from components.films.errors import FilmError, NotMeantError
from components.shared.limits import FilmLimits

_SECONDS = 20.0
# A film of 50 million pixels takes 2 GB on its way to 8 bits.
_BYTES = 4 * 2**30
# How an answer begins: a film, or why there is none, after which comes a NotMeantError's kind.
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
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_work, args=(theirs, data, limits, _BYTES), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise FilmError(f"its pixels cannot be decoded within {seconds:g} s")
        answer = ours.recv_bytes()
    except EOFError as error:
        raise FilmError("its pixels cannot be decoded") from error
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    if answer.startswith(_FILM):
        return answer[len(_FILM) :]
    kind, _, message = answer[len(_REFUSED) :].decode().partition(_BETWEEN)
    raise NotMeantError(message, kind) if kind else FilmError(message)


def _work(connection: Connection, data: bytes, limits: FilmLimits, memory: int) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        connection.send_bytes(_FILM + dicom.to_png(data, limits))
    except FilmError as error:
        kind = error.kind if isinstance(error, NotMeantError) else ""
        connection.send_bytes(_REFUSED + f"{kind}{_BETWEEN}{error}".encode())
