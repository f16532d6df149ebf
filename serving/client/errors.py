"""What can go wrong with all films at once."""


class ServerError(RuntimeError):
    """The server cannot be used at all; the message is one sentence."""
