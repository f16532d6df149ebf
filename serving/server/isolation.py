"""DICOM decoded in a process of its own.

Its decoders are large and old: what crashes them, or makes them take all memory or time, must not
take the server with it. What they print may hold a patient's name, and goes nowhere.
"""

import asyncio
import multiprocessing
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from components.films import dicom
from components.films.errors import FilmError
from components.shared.limits import FilmLimits

_SECONDS = 20
# A film of 50 million pixels takes 2 GB on its way to 8 bits.
_BYTES = 4 * 2**30
_AT_ONCE = 2
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([dicom.__name__])


class Decoder:
    """Decodes DICOM files, few at a time."""

    def __init__(self) -> None:
        """Starts the process that the others are forked from."""
        forkserver.ensure_running()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dicom")

    async def to_png(self, data: bytes, limits: FilmLimits) -> bytes:
        """Returns the film as PNG; see `components.films.dicom.to_png`.

        Raises:
            FilmError: it is no film, or cannot be decoded.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _isolated, data, limits)

    def close(self) -> None:
        """Waits for what is being decoded."""
        self._threads.shutdown()


def _isolated(data: bytes, limits: FilmLimits, seconds: float = _SECONDS) -> bytes:
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_work, args=(theirs, data, limits, _BYTES), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise FilmError(f"its pixels cannot be decoded within {seconds:g} s")
        answer = ours.recv()
    except EOFError as error:
        raise FilmError("its pixels cannot be decoded") from error
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    if isinstance(answer, FilmError):
        raise answer
    return answer


def _work(connection: Connection, data: bytes, limits: FilmLimits, memory: int) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        connection.send(dicom.to_png(data, limits))
    except FilmError as error:
        connection.send(error)
