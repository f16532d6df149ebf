"""A request that is refused, whichever interface it came by."""

from enum import Enum


class Refusal(Enum):
    """Why; the value is the status of HTTP and the name of gRPC's."""

    INVALID = (400, "INVALID_ARGUMENT")
    UNAUTHENTICATED = (401, "UNAUTHENTICATED")
    FOREIGN = (403, "PERMISSION_DENIED")
    NOT_FOUND = (404, "NOT_FOUND")
    NOT_ALLOWED = (405, "UNIMPLEMENTED")
    TIMEOUT = (408, "DEADLINE_EXCEEDED")
    TOO_LARGE = (413, "INVALID_ARGUMENT")
    WRONG_HOST = (421, "INVALID_ARGUMENT")
    # A client may ask again: gRPC's clients do so by themselves only for this one.
    BUSY = (429, "UNAVAILABLE")
    INTERNAL = (500, "INTERNAL")

    @property
    def http(self) -> int:
        """The status of HTTP."""
        return self.value[0]

    @property
    def grpc(self) -> str:
        """The name of gRPC's status."""
        return self.value[1]


class RequestError(Exception):
    """A request that gets no answer but this error; the message is for the client."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        """Takes why, and what the client is told."""
        super().__init__(message)
        self.refusal = refusal
