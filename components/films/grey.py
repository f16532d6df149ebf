"""From stored values to the grey levels that a viewer shows.

DICOM PS3.3, C.11.1 (modality LUT or rescale), C.11.2 (VOI LUT or window), C.7.6.3.1.2 (photometric
interpretation), written out, since libraries that apply them hand back values whose range has to be
guessed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Values that cover no more than this share of what they might are not of that range: a container's
# bits were declared and not the film's. A film of an eighth of the greys is nearly black, or white.
NARROW = 0.25
# Of the pixels, by value: what lies further beyond these two than they are apart is no part of the
# picture, such as a burnt-in letter.
INNER = (0.01, 0.99)
# Films of so few bits are what is shown, as JPEG and PNG are.
_SHOWN_BITS = 8


class Span(NamedTuple):
    """The lowest and the highest value that may be."""

    low: float
    high: float

    def share(self, values: np.ndarray) -> np.ndarray:
        """Returns where values lie between the two, 0 to 1."""
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)


@dataclass(frozen=True)
class Line:
    """Rescale slope and intercept (C.11.1.1.2)."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, values: np.ndarray, span: Span) -> tuple[np.ndarray, Span]:
        """Returns the values in the units of the modality, and what they may be there."""
        ends = [self.slope * end + self.intercept for end in span]
        return values * self.slope + self.intercept, Span(min(ends), max(ends))


@dataclass(frozen=True)
class Table:
    """A lookup table (C.11.1.1.1, C.11.2.1.1).

    Attributes:
        first: the value that the first entry is for; lower ones have it too, and those beyond the
            last entry the last.
        entries: int [N].
        bits: of an entry, as the descriptor says.
    """

    first: int
    entries: np.ndarray
    bits: int

    def apply(self, values: np.ndarray, span: Span) -> tuple[np.ndarray, Span]:
        """Returns what the table has for the values, and what it might have."""
        place = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[place.astype(np.int64)].astype(np.float64), Span(0.0, self._white)

    @property
    def _white(self) -> float:
        """The largest value of the bits that are used, where the descriptor cannot be right."""
        said, largest = 2.0**self.bits, float(self.entries.max())
        if said * NARROW < largest + 1.0 <= said:
            return said - 1.0
        return 2.0 ** int(largest).bit_length() - 1.0


@dataclass(frozen=True)
class Window:
    """Centre and width (C.11.2.1.2).

    Attributes:
        centre: a value after the modality's rescaling.
        width: of the values that are told apart; 1 or more for LINEAR, more than 0 otherwise.
        function: LINEAR, LINEAR_EXACT or SIGMOID.
    """

    centre: float
    width: float
    function: str = "LINEAR"

    @property
    def usable(self) -> bool:
        """Whether the standard allows the width."""
        return self.width >= 1.0 if self.function == "LINEAR" else self.width > 0.0

    def apply(self, values: np.ndarray, span: Span) -> tuple[np.ndarray, Span]:
        """Returns the share of the output's range, 0 to 1."""
        if self.function == "SIGMOID":
            # Beyond this e to the power of it is no number, and the share 0.
            power = np.minimum(-4.0 * (values - self.centre) / self.width, 700.0)
            return 1.0 / (1.0 + np.exp(power)), Span(0.0, 1.0)
        if self.function == "LINEAR_EXACT":
            return _ramp(values, self.centre - self.width / 2.0, self.width), Span(0.0, 1.0)
        start = self.centre - 0.5 - (self.width - 1.0) / 2.0
        return _ramp(values, start, self.width - 1.0), Span(0.0, 1.0)


def _ramp(values: np.ndarray, start: float, width: float) -> np.ndarray:
    """Returns 0 up to the start and 1 beyond start + width, 0 wide too."""
    if width == 0.0:
        return (values > start).astype(np.float64)
    return np.clip((values - start) / width, 0.0, 1.0)


@dataclass(frozen=True)
class Chain:
    """What becomes of the stored values.

    Attributes:
        bits: that are stored, 16 at most.
        signed: whether they are in two's complement.
        modality: to the units of the modality.
        voi: to the greys of interest; None: all of them.
        inverted: whether the lowest value is white, as in MONOCHROME1.
        padding: the values, from and to, of where there is no film (C.7.5.1.1.2), which is black.
    """

    bits: int
    signed: bool = False
    modality: Line | Table = Line()
    voi: Window | Table | None = None
    inverted: bool = False
    padding: tuple[int, int] | None = None

    def show(self, stored: np.ndarray) -> np.ndarray:
        """Returns the grey levels, uint8 of the same shape.

        Args:
            stored: int, of no more bits than `bits`.
        """
        return self.levels(stored)[stored - int(stored_span(self.bits, self.signed).low)]

    def levels(self, stored: np.ndarray) -> np.ndarray:
        """Returns the grey level of each value that may be stored, lowest first, uint8 [2^bits].

        Args:
            stored: int, the values of the picture.
        """
        span = stored_span(self.bits, self.signed)
        first = int(span.low)
        # Each value that may be stored is looked at once, however many pixels have it.
        codes = np.arange(first, int(span.high) + 1)
        padded = np.zeros(len(codes), bool)
        if self.padding is not None:
            padded = (codes >= self.padding[0]) & (codes <= self.padding[1])
        values, span = self.modality.apply(codes.astype(np.float64), span)
        if self.voi is not None:
            values, span = self.voi.apply(values, span)
        elif self.bits > _SHOWN_BITS:
            films = np.bincount((stored - first).ravel(), minlength=len(codes))
            span = used(values, np.where(padded, 0, films), span)
        share = span.share(values)
        if self.inverted:
            share = 1.0 - share
        share[padded] = 0.0
        return np.rint(share * 255.0).astype(np.uint8)


def stored_span(bits: int, signed: bool) -> Span:
    """Returns what values of so many bits may be, in two's complement where they are signed."""
    if signed:
        return Span(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1.0)
    return Span(0.0, 2.0**bits - 1.0)


def used(values: np.ndarray, pixels: np.ndarray, span: Span) -> Span:
    """Returns what values cover of what they might, where that is a small part; else all of it.

    Args:
        values: [K], in any order.
        pixels: [K], how many have each.
        span: what they might be.
    """
    order = np.argsort(values, kind="stable")
    order = order[pixels[order] > 0]
    if not order.size:
        return span
    values, below = values[order], np.cumsum(pixels[order])
    low, high = (values[np.searchsorted(below, share * below[-1])] for share in INNER)
    if not 0.0 < high - low <= NARROW * (span.high - span.low):
        return span
    reach = high - low
    inside = values[(values >= low - reach) & (values <= high + reach)]
    return Span(float(inside[0]), float(inside[-1]))


def stored_values(words: np.ndarray, bits: int, high_bit: int, signed: bool) -> np.ndarray:
    """Returns the values in the words of a picture, int32 of the same shape.

    Args:
        words: integers of 8 or 16 bits.
        bits: of a value.
        high_bit: the number of its highest, from 0 (PS3.5, 8.1.1: one less than `bits`; before 2014
            elsewhere too).
        signed: whether values are in two's complement.

    Raises:
        ValueError: the bits are not in the words.
    """
    _check_bits(words, bits, high_bit)
    values = (_unsigned(words) >> (high_bit + 1 - bits)).astype(np.int32) & (2**bits - 1)
    if signed:
        values -= (values >> (bits - 1)) << bits
    return values


def has_spare_bits(words: np.ndarray, bits: int, high_bit: int, signed: bool) -> bool:
    """Whether words hold more than their values: no zeros, and no copies of a sign.

    Args and raises: as `stored_values`.
    """
    _check_bits(words, bits, high_bit)
    whole, width = _unsigned(words), 8 * words.itemsize
    if (whole & (2 ** (high_bit + 1 - bits) - 1)).any():
        return True
    above = 2 ** (width - 1 - high_bit) - 1
    top = (whole >> high_bit >> 1) & above
    # The sign and its copies.
    copied = signed & ((whole >> high_bit) == 2 * above + 1)
    return bool(((top != 0) & ~copied).any())


def _unsigned(words: np.ndarray) -> np.ndarray:
    native = words.astype(words.dtype.newbyteorder("="), copy=False)
    return native.view(f"u{words.itemsize}")


def _check_bits(words: np.ndarray, bits: int, high_bit: int) -> None:
    if high_bit + 1 < bits or bits < 1 or high_bit >= 8 * words.itemsize or words.itemsize > 2:
        raise ValueError(f"{bits} bits below bit {high_bit} are not in {8 * words.itemsize}")
