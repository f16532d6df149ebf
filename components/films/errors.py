"""What can go wrong with one film, while the others go on."""

# Why a sound film is not meant, in words that all such films share; see `NotMeantError`.
NO_RADIOGRAPH = "not a radiograph"
NOT_CHEST = "not of the chest"
NOT_FRONTAL = "not a frontal view"
OF_AN_ADULT = "of an adult"
FOR_PROCESSING = "for processing, not for presentation"


class FilmError(ValueError):
    """A film that cannot be read; the message goes on after the film's name."""


class NotMeantError(FilmError):
    """A sound film of what the model is not for, such as a lateral view.

    Attributes:
        kind: why, in words that all such films share, so that they can be counted.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        """Keeps the kind beside the message."""
        super().__init__(message)
        self.kind = kind
