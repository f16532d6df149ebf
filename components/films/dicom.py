"""A radiograph in a DICOM file, as the picture that a viewer would show.

Nothing of the file but its pixels is kept, and no message holds anything that tells the patient.
"""

import io
import math
import warnings

import cv2
import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from components.films.blank import check_contrast
from components.films.errors import FilmError
from components.films.grey import (
    Chain,
    Line,
    Table,
    Window,
    has_spare_bits,
    stored_span,
    stored_values,
)
from components.films.headers import check_bytes, check_size
from components.films.stream import frame_of
from components.films.tags import check_tags, text_of
from components.shared.limits import FilmLimits

_MAGIC = slice(128, 132)
# How a data set without the preamble begins, little endian: its group's length, or an element that
# comes first in the files of old archives.
_FIRST_ELEMENTS = tuple(
    bytes((group, 0, element, 0))
    for group, elements in ((2, (0, 1, 2, 16)), (8, (0, 1, 5, 8, 18, 20, 22)))
    for element in elements
)
_GREY = {"MONOCHROME1": True, "MONOCHROME2": False}
_PALETTE = "PALETTE COLOR"
# Whether the lowest value is white, said a second time.
_SHAPES = {"INVERSE": True, "IDENTITY": False}


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file, with its preamble or, as archives have them, without.

    Args:
        data: the file's first 132 bytes, or all of it.
    """
    return data[_MAGIC] == b"DICM" or data[:4] in _FIRST_ELEMENTS


def to_png(data: bytes, limits: FilmLimits) -> bytes:
    """Returns the film of a DICOM file as PNG: 8 bits, bone bright; in colour where it has some.

    Grey values become what a viewer shows; see `components.films.grey`. Of several windows or
    tables it is the first.

    Args:
        data: the file's bytes.
        limits: of its bytes, and of its pixels before any is decoded.

    Raises:
        FilmError: it is no DICOM file, no frontal chest radiograph of a child as far as its tags
            tell, too large, says what its pixels contradict, cannot be decoded, or shows nothing.
    """
    check_bytes(len(data), limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of what is checked here
        picture = _picture(_opened(data, limits))
    check_contrast(picture)
    encoded, png = cv2.imencode(".png", picture)
    if not encoded:
        raise FilmError("its pixels cannot be encoded")
    return bytes(png)


def _opened(data: bytes, limits: FilmLimits) -> pydicom.Dataset:
    """Returns the data set of a film that its tags let pass."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(data), force=is_dicom(data))
        check_tags(dataset, limits)
        _check_size(dataset, limits)
        _tell_syntax(dataset)
    except FilmError:
        raise
    except Exception as error:  # pydicom raises whatever the content makes it raise
        raise FilmError("is no readable DICOM file") from error
    return dataset


def _check_size(dataset: pydicom.Dataset, limits: FilmLimits) -> None:
    if "PixelData" not in dataset:
        raise FilmError("has no pixels")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise FilmError(f"holds {frames} frames, not one film")
    check_size(int(dataset.get("Columns") or 0), int(dataset.get("Rows") or 0), limits)


def _tell_syntax(dataset: pydicom.Dataset) -> None:
    """Sets the transfer syntax that a file without its preamble was read by."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, _ = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax


def _picture(dataset: pydicom.Dataset) -> np.ndarray:
    """Returns uint8 [H, W], or [H, W, 3] in the order that OpenCV writes."""
    try:
        _check_stream(dataset)
        photometric = str(dataset.PhotometricInterpretation)
        if photometric in _GREY:
            return _grey(dataset, _GREY[photometric])
        return _colour(dataset, photometric)
    except FilmError:
        raise
    except Exception as error:  # pydicom's decoders raise whatever the content makes them raise
        raise FilmError(
            f"its pixels cannot be decoded ({type(error).__name__}, transfer syntax "
            f"{dataset.file_meta.get('TransferSyntaxUID', 'missing')})"
        ) from error


def _check_stream(dataset: pydicom.Dataset) -> None:
    """Raises FilmError where the header does not fit what lies in the file."""
    rows, columns, samples = int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel)
    allocated = int(dataset.BitsAllocated)
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        length = -(-rows * columns * samples * allocated // 8)
        # An odd number of bytes has one more; YBR_FULL_422 has fewer.
        if len(dataset.PixelData) > length + 1:
            raise FilmError(
                f"has {len(dataset.PixelData)} bytes of pixels, and by its header {length}"
            )
        return
    frame = frame_of(get_frame(dataset.PixelData, 0, number_of_frames=1))
    if frame is None:
        return
    if frame.samples != samples:
        raise FilmError(
            f"has {frame.samples} samples a pixel, and by its header SamplesPerPixel {samples}"
        )
    if frame.bits > allocated:
        raise FilmError(f"has {frame.bits} bits a sample, and by its header {allocated}")
    if frame.height and frame.width and (frame.height, frame.width) != (rows, columns):
        raise FilmError(
            f"is {frame.width} x {frame.height} pixels, and by its header {columns} x {rows}"
        )


def _grey(dataset: pydicom.Dataset, inverted: bool) -> np.ndarray:
    """Returns uint8 [H, W] as the modality and the VOI show the values."""
    shape = text_of(dataset, "PresentationLUTShape")
    if _SHAPES.get(shape, inverted) != inverted:
        raise FilmError(
            f"is {dataset.PhotometricInterpretation} with the PresentationLUTShape {shape}, which "
            "contradict each other"
        )
    # As they lie in the file: which bits are the values' is told here.
    dataset.pixel_array_options(correct_unused_bits=False)
    words = dataset.pixel_array
    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    high_bit = int(dataset.get("HighBit", bits - 1))
    if has_spare_bits(words, bits, high_bit, signed) and not _has_overlay_bits(dataset):
        raise FilmError(f"has values of more than the {bits} bits that its header says")
    stored = stored_values(words, bits, high_bit, signed)
    modality = _modality(dataset, signed)
    _, span = modality.apply(np.zeros(0), stored_span(bits, signed))
    voi = _voi(dataset, span.low < 0.0)
    return Chain(bits, signed, modality, voi, inverted, _padding(dataset)).show(stored)


def _has_overlay_bits(dataset: pydicom.Dataset) -> bool:
    """Whether overlays lie in the bits that values leave free, as they did before 2004."""
    return any(
        int(dataset[group, 0x0102].value or 0) > 0
        for group in range(0x6000, 0x6020, 2)
        if (group, 0x0102) in dataset
    )


def _padding(dataset: pydicom.Dataset) -> tuple[int, int] | None:
    """Returns the values that a picture was filled up with, from and to (PS3.3, C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if first is None or first == "":
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(first), int(first if last in (None, "") else last)))
    return low, high


def _modality(dataset: pydicom.Dataset, signed: bool) -> Line | Table:
    if items := dataset.get("ModalityLUTSequence"):
        return _table(items[0], _order(dataset), signed)
    slope, intercept = (_number(dataset, f"Rescale{name}") for name in ("Slope", "Intercept"))
    return Line(1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def _voi(dataset: pydicom.Dataset, below_zero: bool) -> Window | Table | None:
    """Returns the first table, or else the first window that can be used."""
    if items := dataset.get("VOILUTSequence"):
        return _table(items[0], _order(dataset), below_zero)
    centre, width = (_number(dataset, f"Window{name}") for name in ("Center", "Width"))
    if centre is None or width is None:
        return None
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise FilmError("has a VOILUTFunction that the standard does not know")
    window = Window(centre, width, function)
    return window if window.usable else None


def _number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    """Returns the first value of a tag; None where there is none."""
    value = dataset.get(keyword)
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    number = float(value)
    if not math.isfinite(number):
        raise FilmError(f"has the {keyword} {number}")
    return number


def _order(dataset: pydicom.Dataset) -> str:
    """Returns the order of the bytes of a word, as NumPy writes it."""
    _, little = dataset.original_encoding
    return "<" if little else ">"


def _table(item: pydicom.Dataset, order: str, below_zero: bool) -> Table:
    """Returns the table of an item of a sequence (PS3.3, C.11.1.1.1 and C.11.2.1.1).

    Args:
        item: with LUTDescriptor and LUTData.
        order: of the bytes of a word.
        below_zero: whether what is looked up may be negative: the descriptor's second value is
            signed then, whichever its representation.
    """
    length, first, bits = (int(value) for value in item.LUTDescriptor)
    length = length or 65536
    if below_zero and first > 32767:
        first -= 65536
    data = item.LUTData
    if isinstance(data, bytes):
        # One byte an entry, filled up to an even number, or two.
        wide = len(data) not in (length, length + 1) or length == 1
        entries = np.frombuffer(data[: length * (1 + wide)], f"{order}u2" if wide else "u1")
    else:
        entries = np.atleast_1d(np.array(data, np.int64)) & 0xFFFF
        if len(entries) == -(-length // 2) and length > 1:  # two entries in each word
            entries = np.frombuffer(entries.astype(f"{order}u2").tobytes()[:length], "u1")
    if len(entries) != length:
        raise FilmError(f"has a table of {len(entries)} entries, and by its descriptor {length}")
    return Table(first, entries.astype(np.int64), bits)


def _colour(dataset: pydicom.Dataset, photometric: str) -> np.ndarray:
    """Returns uint8 [H, W, 3], blue first."""
    pixels = dataset.pixel_array  # what is stored as YBR comes as RGB
    bits = int(dataset.BitsStored)
    if photometric == _PALETTE:
        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        pixels = apply_color_lut(pixels, dataset)
    shares = np.clip(pixels.astype(np.float64) / (2.0**bits - 1.0), 0.0, 1.0)
    return np.rint(shares * 255.0).astype(np.uint8)[..., ::-1]
