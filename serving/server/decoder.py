"""DICOM films of requests, few at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from components.films import apart
from components.shared.limits import FilmLimits

_AT_ONCE = 2


class Decoder:
    """Decodes DICOM files beside the event loop."""

    def __init__(self) -> None:
        """Starts the process that those which decode are forked from."""
        apart.prepare()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dicom")

    async def to_png(self, data: bytes, limits: FilmLimits) -> bytes:
        """Returns the film as PNG; see `components.films.apart.to_png`.

        Raises:
            FilmError: it is no film, or cannot be decoded.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, apart.to_png, data, limits)

    def close(self) -> None:
        """Waits for what is being decoded."""
        self._threads.shutdown()
