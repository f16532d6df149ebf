"""What can go wrong with one film, while the others go on."""


class FilmError(ValueError):
    """A film that cannot be read; the message goes on after the film's name."""
