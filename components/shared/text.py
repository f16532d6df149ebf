"""Text of others, before it is shown."""

import unicodedata

# Control and format characters, and separators of lines and paragraphs.
_CONTROLS = ("Cc", "Cf", "Zl", "Zp")


def has_controls(text: str) -> bool:
    """Whether a text has characters that are not shown, but say how others are, or end a line."""
    return any(unicodedata.category(one) in _CONTROLS for one in text)


def visible(text: str) -> str:
    """Returns a text that takes one line and moves no cursor; what would is escaped."""
    if not has_controls(text):
        return text
    return "".join(_escaped(one) if has_controls(one) else one for one in text)


def shortened(text: str, most: int) -> str:
    """Returns a text of no more than so many characters, and three dots where it was longer."""
    return text if len(text) <= most else f"{text[:most]}..."


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
