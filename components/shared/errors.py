"""Errors that are the user's to mend; the command line shows them as one sentence."""

from collections.abc import Sequence


class InputError(ValueError):
    """Bad data or a bad setting.

    The message is one sentence that names the file or the setting and what was received.
    """


class BadFilmsError(InputError):
    """Too many files of the data set were put aside.

    Attributes:
        quarantine: rows (file, reason), one for each file put aside, so that the list outlives
            the node that failed.
    """

    def __init__(self, message: str, quarantine: Sequence[tuple[str, str]]) -> None:
        """Keeps the rows beside the message."""
        super().__init__(message)
        self.quarantine = list(quarantine)
