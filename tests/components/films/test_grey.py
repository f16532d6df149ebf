"""The grey values of DICOM films against the standard's formulas, one value at a time."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from components.films.dicom import to_png
from components.films.grey import Chain, Line, Table, Window, has_spare_bits, stored_values
from support.dicom_files import dicom, table
from support.films import TINY

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
# Part of all values; each has a film of its own below.
BITS = (8, 10, 12, 14, 16)
LINES = ((1.0, 0.0), (1.0, -1024.0), (2.5, 7.0), (-1.0, 300.0), (-0.5, -3.0))


def by_the_standard(x: float, function: str, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3, with 0 and 1 as the output's ends."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + math.exp(-4.0 * (x - c) / w))
    if function == "LINEAR_EXACT":
        if x <= c - w / 2.0:
            return 0.0
        return 1.0 if x > c + w / 2.0 else (x - c) / w + 0.5
    if x <= c - 0.5 - (w - 1.0) / 2.0:
        return 0.0
    return 1.0 if x > c - 0.5 + (w - 1.0) / 2.0 else (x - (c - 0.5)) / (w - 1.0) + 0.5


def looked_up(x: float, entries: list[int], first: int) -> int:
    """PS3.3 C.11.2.1.1: below the first and beyond the last entry these."""
    return entries[min(max(round(x) - first, 0), len(entries) - 1)]


def values_of(bits: int, signed: bool) -> list[int]:
    """Both ends, and what lies between them evenly."""
    low = -(2 ** (bits - 1)) if signed else 0
    return [low + step * (2**bits - 1) // 23 for step in range(24)]


def shown(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(to_png(data, TINY), np.uint8), cv2.IMREAD_UNCHANGED)


def saved(values: list[int], bits: int, signed: bool, **tags: Any) -> bytes:
    width = 1 if bits <= 8 else 2
    pixels = np.array([values], f"{'i' if signed else 'u'}{width}")
    return dicom(pixels, BitsStored=bits, **tags)


def agrees(data: bytes, wanted: list[float], inverted: bool) -> None:
    shares = np.array([1.0 - share if inverted else share for share in wanted])
    np.testing.assert_allclose(shown(data)[0], 255.0 * shares, rtol=0, atol=0.5 + 1e-9)


def units(values: list[int], line: tuple[float, float]) -> list[float]:
    slope, intercept = line
    return [slope * value + intercept for value in values]


def rescaled(line: tuple[float, float]) -> dict[str, Any]:
    return {"RescaleSlope": line[0], "RescaleIntercept": line[1]}


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_windows(bits: int, signed: bool, inverted: bool) -> None:
    values = values_of(bits, signed)
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    for line, function in itertools.product(LINES, FUNCTIONS):
        reached = units(values, line)
        span = max(reached) - min(reached)
        for centre, width in (
            ((max(reached) + min(reached)) / 2.0, span),
            (min(reached) + span / 3.0, span / 4.0),
        ):
            # As they are written, with 16 characters at most.
            c, w = float(f"{centre:.8g}"), float(f"{max(width, 1.5):.8g}")
            window = {"WindowCenter": c, "WindowWidth": w, "VOILUTFunction": function}
            data = saved(
                values,
                bits,
                signed,
                PhotometricInterpretation=photometric,
                **rescaled(line),
                **window,
            )
            agrees(data, [by_the_standard(x, function, c, w) for x in reached], inverted)


def tables() -> Iterator[tuple[list[int], int, int, str]]:
    """Entries, the first value, bits and representation of tables, rising and falling."""
    for bits, first, length in itertools.product((8, 10, 12, 16), (0, 100, -50), (64, 1000)):
        rising = [step * (2**bits - 1) // (length - 1) for step in range(length)]
        for entries in (rising, rising[::-1]):
            yield entries, first, bits, "US"
            yield entries, first, bits, "OW"
            if bits == 8:
                yield entries, first, bits, "bytes"


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_tables(bits: int, signed: bool, keyword: str) -> None:
    values = values_of(bits, signed)
    for number, (entries, first, wide, kind) in enumerate(tables()):
        if first < 0 and not signed:
            continue
        inverted = bool(number % 2)
        photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
        item = table(entries, first, wide, kind)
        data = saved(
            values, bits, signed, PhotometricInterpretation=photometric, **{keyword: [item]}
        )
        found = [looked_up(x, entries, first) / (2**wide - 1) for x in values]
        if max(found) - min(found) > 0.1:
            agrees(data, found, inverted)


@pytest.mark.parametrize("line", LINES)
def test_a_table_of_greys_is_for_values_in_the_modalitys_units(line: tuple[float, float]) -> None:
    values = values_of(10, False)
    entries, first = [step * 4 for step in range(1024)], -512
    data = saved(
        values, 10, False, **rescaled(line), VOILUTSequence=[table(entries, first, 12, "OW")]
    )
    reached = units(values, line)
    if min(reached) < 0:  # else the first value is 65,024
        agrees(data, [looked_up(x, entries, first) / 4095 for x in reached], False)


def test_a_table_of_greys_after_one_of_the_modality() -> None:
    values = values_of(8, False)
    first, second = [x * x for x in range(256)], [65535 - x for x in range(65536)]
    data = saved(
        values,
        8,
        False,
        ModalityLUTSequence=[table(first, 0, 16)],
        VOILUTSequence=[table(second, 0, 16, "OW")],
    )
    agrees(data, [(65535 - x * x) / 65535 for x in values], False)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_without_a_window_all_bits_are_shown(bits: int, signed: bool, inverted: bool) -> None:
    values = values_of(bits, signed)
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    for line in LINES:
        data = saved(values, bits, signed, PhotometricInterpretation=photometric, **rescaled(line))
        reached = units(values, line)
        low, high = min(reached), max(reached)
        agrees(data, [(x - low) / (high - low) for x in reached], inverted)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0, 4095), (1000, 2023), (0, 16383)])
@pytest.mark.parametrize("signed", [False, True])
def test_values_of_a_small_part_of_the_bits_are_shown_by_what_they_cover(
    signed: bool, low: int, high: int, inverted: bool
) -> None:
    values = [low + step * (high - low) // 99 for step in range(100)]
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    data = saved(values, 16, signed, PhotometricInterpretation=photometric)
    agrees(data, [(x - low) / (high - low) for x in values], inverted)
    # A letter that was burnt in is no part of what they cover, and white.
    lit = saved([*values, 32767], 16, signed, PhotometricInterpretation=photometric)
    agrees(lit, [*[(x - low) / (high - low) for x in values], 1.0], inverted)


def test_values_of_more_than_a_quarter_of_the_bits_are_shown_by_all() -> None:
    values = [step * 20000 // 99 for step in range(100)]
    agrees(saved(values, 16, False), [x / 65535 for x in values], False)


def test_a_filled_up_border_is_black_and_covers_nothing() -> None:
    values = [*range(0, 4000, 40), 65535, 65000, 64999]
    tags: dict[str, Any] = {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 65000}
    found = shown(saved(values, 16, False, **tags))[0]
    np.testing.assert_allclose(found[:100], np.arange(100) / 99 * 255, atol=0.51)
    assert found[100:].tolist() == [0, 0, 255]
    white = shown(saved(values, 16, False, PhotometricInterpretation="MONOCHROME1", **tags))[0]
    assert white[[0, 99, 100, 101, 102]].tolist() == [255, 0, 0, 0, 0]


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_table_narrower_than_its_descriptor_says(keyword: str, bits: int) -> None:
    values = values_of(8, False)
    entries = [step * (2**bits - 1) // 255 for step in range(256)]
    data = saved(values, 8, False, **{keyword: [table(entries, 0, 16)]})
    agrees(data, [x / 255 for x in values], False)


def test_a_table_that_ends_short_of_white_is_as_dark_as_it_says() -> None:
    values = values_of(8, False)
    for white in (1100, 2000, 4095):  # of 12 bits, more than a quarter
        entries = [step * white // 255 for step in range(256)]
        data = saved(values, 8, False, VOILUTSequence=[table(entries, 0, 12)])
        agrees(data, [entries[x] / 4095 for x in values], False)
    # Of one that has more than its descriptor says the largest entry decides.
    entries = [step * 2000 // 255 for step in range(256)]
    data = saved(values, 8, False, VOILUTSequence=[table(entries, 0, 10)])
    agrees(data, [entries[x] / 2047 for x in values], False)


@pytest.mark.parametrize(
    ("function", "width", "usable"),
    [
        ("LINEAR", 1.0, True),
        ("LINEAR", 0.5, False),
        ("LINEAR", 0.0, False),
        ("LINEAR_EXACT", 0.5, True),
        ("LINEAR_EXACT", 0.0, False),
        ("SIGMOID", 0.5, True),
        ("SIGMOID", -1.0, False),
    ],
)
def test_widths_that_the_standard_allows(function: str, width: float, usable: bool) -> None:
    assert Window(100.0, width, function).usable == usable


def test_a_window_one_wide_parts_at_half_a_value_below_its_centre() -> None:
    shown_values = Chain(8, voi=Window(100.0, 1.0)).show(np.array([[98, 99, 100, 101]]))
    assert shown_values.tolist() == [[0, 0, 255, 255]]


def test_a_sigmoid_far_from_its_centre_is_a_number() -> None:
    with np.errstate(over="raise", invalid="raise"):
        found = Chain(16, voi=Window(0.0, 0.001, "SIGMOID")).show(np.array([[0, 1, 65535]]))
    assert found.tolist() == [[128, 255, 255]]
    with np.errstate(over="raise", invalid="raise"):
        found = Chain(16, voi=Window(65535.0, 0.001, "SIGMOID")).show(np.array([[0, 65535]]))
    assert found.tolist() == [[0, 128]]


def test_a_value_between_two_entries_has_the_nearer_ones() -> None:
    chain = Chain(8, modality=Line(0.5), voi=Table(0, np.array([0, 100, 255]), 8))
    assert chain.show(np.array([[0, 1, 2, 3, 4]])).tolist() == [[0, 0, 100, 255, 255]]


@pytest.mark.parametrize(
    ("words", "bits", "high_bit", "signed", "wanted"),
    [
        (np.array([0x0FFF, 0x0800], np.uint16), 12, 11, False, [4095, 2048]),
        (np.array([0xFFF0, 0x8000], np.uint16), 12, 15, False, [4095, 2048]),
        (np.array([0x0FFF, 0x0800, 0x07FF], np.uint16), 12, 11, True, [-1, -2048, 2047]),
        (np.array([-1, -2048, 2047], np.int16), 12, 11, True, [-1, -2048, 2047]),
        (np.array([-16, 0x7FF0], np.int16), 12, 15, True, [-1, 2047]),
        (np.array([255, 128], np.uint8), 8, 7, True, [-1, -128]),
        (np.array([0xF123], np.uint16), 12, 11, False, [0x123]),
    ],
)
def test_values_in_words(
    words: np.ndarray, bits: int, high_bit: int, signed: bool, wanted: list[int]
) -> None:
    found = stored_values(words, bits, high_bit, signed)
    assert found.dtype == np.int32
    assert found.tolist() == wanted


@pytest.mark.parametrize(("bits", "high_bit"), [(12, 10), (12, 16), (0, 7)])
def test_bits_that_are_not_in_the_words(bits: int, high_bit: int) -> None:
    with pytest.raises(ValueError, match="are not in 16"):
        stored_values(np.zeros(2, np.uint16), bits, high_bit, False)


@pytest.mark.parametrize(
    ("words", "bits", "high_bit", "signed", "spare"),
    [
        (np.array([0x0FFF], np.uint16), 12, 11, False, False),
        (np.array([0x1FFF], np.uint16), 12, 11, False, True),
        (np.array([0xFFF0], np.uint16), 12, 15, False, False),
        (np.array([0xFFF8], np.uint16), 12, 15, False, True),
        (np.array([-1, 0x0FFF, 5], np.int16), 12, 11, True, False),
        (np.array([0x1FFF], np.int16), 12, 11, True, True),
    ],
)
def test_bits_beside_the_values(
    words: np.ndarray, bits: int, high_bit: int, signed: bool, spare: bool
) -> None:
    assert has_spare_bits(words, bits, high_bit, signed) == spare
