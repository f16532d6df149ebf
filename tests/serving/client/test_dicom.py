import io
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from components.shared.limits import FilmLimits
from serving.client.dicom import is_dicom, to_png
from serving.client.errors import FilmError
from support.dicom_files import EIGHT, IDENTIFIER, NAME, dicom, saved

LIMITS = FilmLimits()


def shown(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(to_png(data, LIMITS), np.uint8), cv2.IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., ::-1]


def table(values: list[int], first: int, bits: int) -> Dataset:
    lut = Dataset()
    lut.LUTDescriptor = [len(values), first, bits]
    lut.LUTData = values
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    return lut


TWELVE = np.array([[0, 16, 2048], [4079, 4094, 4095]], np.uint16)


def test_eight_bits_stay_as_they_are() -> None:
    np.testing.assert_array_equal(shown(dicom(EIGHT)), EIGHT)


def test_monochrome1_is_turned_so_that_bone_is_bright() -> None:
    film = dicom(EIGHT, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(shown(film), 255 - EIGHT)


@pytest.mark.parametrize(
    ("pixels", "bits", "wanted"),
    [
        (TWELVE, 12, [[0, 1, 128], [254, 255, 255]]),
        (TWELVE // 4, 10, [[0, 1, 128], [254, 255, 255]]),
        (np.array([[0, 257, 65535]], np.uint16), 16, [[0, 1, 255]]),
        (np.array([[-128, 0, 127]], np.int8), 8, [[0, 128, 255]]),
        (np.array([[-32768, 0, 32767]], np.int16), 16, [[0, 128, 255]]),
    ],
)
def test_deeper_films_are_scaled_by_the_bits_that_are_stored(
    pixels: np.ndarray, bits: int, wanted: list[list[int]]
) -> None:
    np.testing.assert_array_equal(shown(dicom(pixels, BitsStored=bits)), wanted)


def test_a_window_by_the_standards_formula() -> None:
    # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) * range, cut off at both ends.
    centre, width = 2048.0, 1025.0
    film = dicom(TWELVE, BitsStored=12, WindowCenter=centre, WindowWidth=width)
    share = (TWELVE - (centre - 0.5)) / (width - 1) + 0.5
    np.testing.assert_array_equal(shown(film), np.rint(np.clip(share, 0, 1) * 255))


def test_of_several_windows_the_first() -> None:
    several = dicom(TWELVE, BitsStored=12, WindowCenter=[2048, 1], WindowWidth=[1025, 2])
    one = dicom(TWELVE, BitsStored=12, WindowCenter=2048, WindowWidth=1025)
    np.testing.assert_array_equal(shown(several), shown(one))


def test_a_window_is_in_the_units_after_rescaling() -> None:
    plain = dicom(TWELVE, BitsStored=12, WindowCenter=2048, WindowWidth=1025)
    rescaled = dicom(
        TWELVE,
        BitsStored=12,
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=2 * 2048 - 100,
        WindowWidth=2 * 1024 + 1,
    )
    np.testing.assert_allclose(shown(rescaled).astype(int), shown(plain).astype(int), atol=1)


def test_a_falling_slope_turns_the_film() -> None:
    film = dicom(EIGHT, RescaleSlope=-1, RescaleIntercept=255)
    np.testing.assert_array_equal(shown(film), 255 - EIGHT)


@pytest.mark.parametrize(
    ("keyword", "values", "bits"),
    [
        ("ModalityLUTSequence", [0, 68, 136, 255], 8),
        ("ModalityLUTSequence", [0, 68 * 257, 136 * 257, 65535], 16),
        ("VOILUTSequence", [0, 1092, 2184, 4095], 12),
    ],
)
def test_a_table_has_its_own_bits(keyword: str, values: list[int], bits: int) -> None:
    film = dicom(np.array([[0, 1, 2, 3, 4]], np.uint8), **{keyword: [table(values, 0, bits)]})
    # What is above the table has its last value.
    np.testing.assert_array_equal(shown(film), [[0, 68, 136, 255, 255]])


def test_colour_keeps_its_channels() -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(shown(dicom(pixels)), pixels)


def test_ybr_comes_as_rgb() -> None:
    rgb = np.array([[[255, 255, 255], [10, 10, 10], [200, 100, 50]]], np.uint8)
    ybr = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]].copy()
    found = shown(dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(found.astype(int), rgb.astype(int), atol=2)


def test_a_palette_is_looked_up() -> None:
    tables = {
        f"{name}PaletteColorLookupTable{what}": value
        for name, data in (("Red", [0, 255]), ("Green", [10, 20]), ("Blue", [1, 2]))
        for what, value in (("Descriptor", [2, 0, 8]), ("Data", bytes(data)))
    }
    film = dicom(np.array([[0, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **tables)
    np.testing.assert_array_equal(shown(film), [[[0, 10, 1], [255, 20, 2]]])


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"],
)
def test_compressed_films_are_the_same_films(name: str) -> None:
    def as_xray(file: str) -> bytes:
        dataset = pydicom.dcmread(str(get_testdata_file(file, download=False)))
        dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "AP"
        return saved(dataset)

    plain = shown(as_xray("MR_small.dcm"))
    assert np.ptp(plain) > 100
    np.testing.assert_array_equal(shown(as_xray(name)), plain)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "MR"}, "is no radiograph: its Modality is MR"),
        ({"Modality": None}, "its Modality is missing"),
        ({"BodyPartExamined": "HAND"}, "its BodyPartExamined is HAND"),
        ({"ViewPosition": "LL"}, "its ViewPosition is LL, not AP or PA"),
        ({"NumberOfFrames": 2}, "holds 2 frames"),
        ({"Rows": 60000, "Columns": 60000}, "has 3600000000 pixels"),
        ({"Rows": 3}, "its pixels cannot be decoded"),
        ({"BitsStored": 12}, "its pixels cannot be decoded"),
    ],
)
def test_what_is_no_frontal_chest_film_is_refused(tags: dict[str, Any], reason: str) -> None:
    with pytest.raises(FilmError, match=reason) as caught:
        to_png(dicom(EIGHT, **tags), LIMITS)
    assert NAME not in str(caught.value)
    assert IDENTIFIER not in str(caught.value)


@pytest.mark.parametrize("keyword", ["BodyPartExamined", "ViewPosition"])
def test_what_is_not_said_is_not_held_against_a_film(keyword: str) -> None:
    np.testing.assert_array_equal(shown(dicom(EIGHT, **{keyword: None})), EIGHT)


def test_a_film_without_pixels() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(EIGHT)))
    del dataset.PixelData
    with pytest.raises(FilmError, match="has no pixels"):
        to_png(saved(dataset), LIMITS)


def test_cut_short_anywhere_it_is_an_error_of_the_film() -> None:
    data = dicom(EIGHT)
    for length in range(0, len(data) - 1, 7):
        with pytest.raises(FilmError):
            to_png(data[:length], LIMITS)


def test_a_dicom_file_is_known_by_its_mark() -> None:
    assert is_dicom(dicom(EIGHT))
    assert not is_dicom(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert not is_dicom(b"")
