"""What one request may ask of the server."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.shared.headers import BadImageError, image_size
from components.shared.limits import FilmLimits
from serving.client.films import MAX_BYTES
from serving.server.errors import Refusal, RequestError


@dataclass(frozen=True)
class Limits:
    """Bounds; beyond them a request is refused.

    Attributes:
        body_bytes: of one request. By default of the largest film, in base64.
        held_bytes: of all requests' bodies at a time.
        requests: under way at a time.
        films: of one request, and so of one run of the model.
        batch: films of several requests that are put together.
        pixels: width x height of a film, told by its header before any is decoded.
        body_seconds: until a request's body has come.
        seconds: until it has been answered.
    """

    body_bytes: int = MAX_BYTES * 3 // 2
    held_bytes: int = 512 * 2**20
    requests: int = 1024
    films: int = 64
    batch: int = 32
    pixels: int = FilmLimits().max_pixels
    body_seconds: float = 30.0
    seconds: float = 120.0

    def check_films(self, films: Iterable[bytes]) -> None:
        """Looks at the films' headers.

        Raises:
            RequestError: one is no JPEG or PNG, or too large.
        """
        for number, film in enumerate(films):
            try:
                _, width, height = image_size(film)
            except BadImageError as error:
                raise RequestError(Refusal.INVALID, f"Film {number}: {error}.") from error
            if width * height > self.pixels:
                raise RequestError(
                    Refusal.INVALID,
                    f"Film {number}: {width} x {height} pixels are more than {self.pixels}.",
                )
