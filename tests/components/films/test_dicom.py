import io
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from components.films.dicom import is_dicom, to_png
from components.films.errors import FilmError
from support.dicom_files import EIGHT, IDENTIFIER, NAME, dicom, saved, table
from support.films import TINY

LIMITS = TINY


def shown(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(to_png(data, LIMITS), np.uint8), cv2.IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., ::-1]


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
        ({"NumberOfFrames": 2}, "holds 2 frames"),
        ({"Rows": 60000, "Columns": 60000}, "has 60000 x 60000 pixels; at most 50000000 are read"),
        ({"Rows": 3}, "its pixels cannot be decoded"),
        ({"Rows": 1}, "has 6 bytes of pixels, and by its header 3"),
        ({"BitsStored": 12}, "its pixels cannot be decoded"),
        ({"WindowCenter": 3000, "WindowWidth": 10}, "is blank: the grey level varies by 0.0000"),
        ({"WindowCenter": "1e999", "WindowWidth": 10}, "is no readable|WindowCenter inf"),
        (
            {"VOILUTFunction": "CUBIC", "WindowCenter": 9, "WindowWidth": 9},
            "a VOILUTFunction that the standard does not know",
        ),
        ({"PresentationLUTShape": "INVERSE"}, "MONOCHROME2 with the PresentationLUTShape INVERSE"),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "its pixels cannot be decoded|is blank"),
        ({"VOILUTSequence": [table([0, 9, 255], 0, 8)]}, None),
    ],
)
def test_what_cannot_be_shown_is_refused(tags: dict[str, Any], reason: str | None) -> None:
    film = dicom(EIGHT, **tags)
    if reason is None:
        assert np.ptp(shown(film)) == 255
        return
    with pytest.raises(FilmError, match=reason) as caught:
        to_png(film, LIMITS)
    assert NAME not in str(caught.value)
    assert IDENTIFIER not in str(caught.value)


def test_a_table_shorter_than_its_descriptor_says() -> None:
    short = table([0, 9, 255], 0, 8)
    short.LUTDescriptor = [9, 0, 8]
    with pytest.raises(FilmError, match="a table of 3 entries, and by its descriptor 9"):
        to_png(dicom(EIGHT, VOILUTSequence=[short]), LIMITS)


def test_two_entries_in_each_word_of_a_table() -> None:
    packed = table([0x0100, 0xFF09], 0, 8)
    packed.LUTDescriptor = [4, 0, 8]
    film = dicom(np.array([[0, 1, 2, 3]], np.uint8), VOILUTSequence=[packed])
    assert shown(film).tolist() == [[0, 1, 9, 255]]


def test_a_high_bit_elsewhere() -> None:
    left = dicom((TWELVE << 4).astype(np.uint16), BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(shown(left), shown(dicom(TWELVE, BitsStored=12)))


def test_values_of_more_bits_than_the_header_says() -> None:
    with pytest.raises(FilmError, match="more than the 10 bits"):
        to_png(dicom(TWELVE, BitsStored=10), LIMITS)


def test_overlays_in_the_bits_that_values_leave_free() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(TWELVE | 0x4000, BitsStored=12)))
    dataset.add_new(0x60000102, "US", 14)
    np.testing.assert_array_equal(shown(saved(dataset)), shown(dicom(TWELVE, BitsStored=12)))


def test_a_colour_stream_of_a_grey_film() -> None:
    picture = np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4, 3, axis=2)
    _, jpeg = cv2.imencode(".jpg", picture)
    dataset = pydicom.dcmread(io.BytesIO(dicom(picture[..., 0].copy())))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg.tobytes()])
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(FilmError, match="has 3 samples a pixel"):
        to_png(saved(dataset), LIMITS)
    dataset.Rows, dataset.SamplesPerPixel, dataset.PlanarConfiguration = 4, 3, 0
    with pytest.raises(FilmError, match="is 8 x 8 pixels, and by its header 8 x 4"):
        to_png(saved(dataset), LIMITS)


@pytest.mark.parametrize(
    "tags",
    [
        {"VOILUTFunction": "", "WindowCenter": 2048, "WindowWidth": 4096},
        {"WindowCenter": 2048, "WindowWidth": 0},
        {"WindowCenter": "", "WindowWidth": ""},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"ModalityLUTSequence": [table(range(4096), 0, 12)]},
        {"ModalityLUTSequence": []},
        {"PresentationLUTShape": "IDENTITY"},
        {"PixelPaddingValue": ""},
    ],
)
def test_what_a_tag_leaves_open_is_as_if_it_were_not_there(tags: dict[str, Any]) -> None:
    plain = shown(dicom(TWELVE, BitsStored=12))
    np.testing.assert_allclose(shown(dicom(TWELVE, BitsStored=12, **tags)), plain, atol=1)


@pytest.mark.parametrize("start", [132, None])
def test_a_file_without_its_preamble(start: int | None) -> None:
    data = dicom(EIGHT)
    if start is None:  # nor the group that tells the transfer syntax
        dataset = pydicom.dcmread(io.BytesIO(data))
        body = io.BytesIO()
        pydicom.dcmwrite(body, pydicom.Dataset(dataset), implicit_vr=True, little_endian=True)
        bare = body.getvalue()
    else:
        bare = data[start:]
    assert is_dicom(bare)
    np.testing.assert_array_equal(shown(bare), EIGHT)


def test_words_of_a_table_in_a_file_of_the_other_order() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(TWELVE, BitsStored=12)))
    entries = np.arange(4096)[::-1].astype(">u2")
    item = table([0] * 4096, 0, 12, "OW")
    item.LUTData = entries.tobytes()
    dataset.VOILUTSequence = [item]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = TWELVE.astype(">u2").tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=False)
    wanted = 255 - shown(dicom(TWELVE, BitsStored=12)).astype(int)
    np.testing.assert_allclose(shown(file.getvalue()), wanted, atol=1)


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
