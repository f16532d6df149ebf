"""What one request may ask of the server, and its films of the model."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.films.errors import FilmError
from components.films.headers import check_film
from components.shared.limits import FilmLimits
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
        body_seconds: until a request's body has come.
        seconds: until it has been answered.
    """

    body_bytes: int = FilmLimits().max_bytes * 3 // 2
    held_bytes: int = 512 * 2**20
    requests: int = 1024
    films: int = 64
    batch: int = 32
    body_seconds: float = 30.0
    seconds: float = 120.0

    def too_slow(self) -> RequestError:
        """Returns the error of a body that has not come in time."""
        return RequestError(
            Refusal.TIMEOUT, f"The body did not come within {self.body_seconds:g} s."
        )


def check_films(films: Iterable[bytes], limits: FilmLimits) -> None:
    """Looks at the films' headers.

    Raises:
        RequestError: one is no whole JPEG or PNG, or off the limits.
    """
    for number, film in enumerate(films):
        try:
            check_film(film, limits)
        except FilmError as error:
            raise RequestError(Refusal.INVALID, f"Film {number} {error}.") from error
