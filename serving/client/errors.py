"""What can go wrong with one film, while the others go on."""


class FilmError(ValueError):
    """A film that could not be read or answered; the message goes on after the film's name."""


class ServerError(RuntimeError):
    """The server cannot be used at all; the message is one sentence."""
