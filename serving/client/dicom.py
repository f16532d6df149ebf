"""A radiograph in a DICOM file, as the picture that a viewer would show.

Nothing of the file but its pixels is kept, and no message holds anything that tells the patient.
"""

import io
import math
from typing import Any

import cv2
import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from components.shared.limits import FilmLimits
from serving.client.errors import FilmError

_MAGIC = slice(128, 132)
# Computed, digital and digitised radiographs: DICOM PS3.3, C.7.3.1.1.1.
_MODALITIES = ("CR", "DX", "RG")
_BODY_PARTS = ("CHEST", "THORAX", "LUNG")
_FRONTAL = ("AP", "PA")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file with its preamble."""
    return data[_MAGIC] == b"DICM"


def to_png(data: bytes, limits: FilmLimits) -> bytes:
    """Returns the film of a DICOM file as PNG: 8 bits, bone bright; in colour where it has some.

    Grey values pass through the modality's and the VOI's tables or windows (DICOM PS3.3, C.11.1 and
    C.11.2), the first where there are several; then their whole range becomes 0 to 255. Without a
    window that is the range of the bits that are stored, so that 8 bits stay as they are.

    Args:
        data: the file's bytes.
        limits: of its bytes, and of its pixels before any is decoded.

    Raises:
        FilmError: it is no DICOM file, no frontal radiograph of a chest as far as its tags tell,
            too large, or its pixels cannot be decoded.
    """
    if len(data) > limits.max_bytes:
        raise FilmError(f"has {len(data)} bytes; at most {limits.max_bytes} are read")
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        _check(dataset, limits)
    except FilmError:
        raise
    except Exception as error:  # pydicom raises whatever the content makes it raise
        raise FilmError("is no readable DICOM file") from error
    try:
        picture = _picture(dataset)
    except Exception as error:  # its decoders do so too
        raise FilmError(
            f"its pixels cannot be decoded ({type(error).__name__}, transfer syntax "
            f"{dataset.file_meta.get('TransferSyntaxUID', 'missing')})"
        ) from error
    encoded, png = cv2.imencode(".png", picture)
    if not encoded:
        raise FilmError("its pixels cannot be encoded")
    return bytes(png)


def _check(dataset: pydicom.Dataset, limits: FilmLimits) -> None:
    """Raises FilmError for what is no single frontal chest radiograph by its tags."""
    modality = _text(dataset, "Modality")
    if modality not in _MODALITIES:
        raise FilmError(
            f"is no radiograph: its Modality is {modality or 'missing'}, not one of "
            f"{', '.join(_MODALITIES)}"
        )
    part = _text(dataset, "BodyPartExamined")
    if part and not any(name in part for name in _BODY_PARTS):
        raise FilmError(f"is no chest radiograph: its BodyPartExamined is {part}")
    view = _text(dataset, "ViewPosition")
    if view and view not in _FRONTAL:
        raise FilmError(f"is no frontal radiograph: its ViewPosition is {view}, not AP or PA")
    if "PixelData" not in dataset:
        raise FilmError("has no pixels")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise FilmError(f"holds {frames} frames, not one film")
    pixels = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
    if not 0 < pixels <= limits.max_pixels:
        raise FilmError(f"has {pixels} pixels; at most {limits.max_pixels} are read")


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip().upper()


def _picture(dataset: pydicom.Dataset) -> np.ndarray:
    """Returns uint8 [H, W], or [H, W, 3] in the order that OpenCV writes."""
    pixels = dataset.pixel_array  # what is stored as YBR comes as RGB
    photometric = dataset.PhotometricInterpretation
    if photometric in _GREY:
        grey = _grey(pixels, dataset)
        return 255 - grey if photometric == "MONOCHROME1" else grey
    if photometric == _PALETTE:
        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        pixels = apply_color_lut(pixels, dataset)
    else:
        bits = int(dataset.BitsStored)
    return _to_bytes(pixels, 0.0, 2.0**bits - 1.0)[..., ::-1]


def _grey(pixels: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Returns uint8 [H, W] as the modality and the VOI show the values."""
    # Bits above those stored may hold overlays.
    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    modality = dataset.get("ModalityLUTSequence")
    if modality:
        low, high = _table_range(modality[0])
    elif "RescaleSlope" in dataset and "RescaleIntercept" in dataset:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        low, high = sorted((slope * low + intercept, slope * high + intercept))
    values = apply_modality_lut(pixels, dataset)
    voi = dataset.get("VOILUTSequence")
    if voi:
        low, high = _table_range(voi[0])
    values = apply_voi_lut(values, dataset)
    return _to_bytes(values, low, high)


def _table_range(table: pydicom.Dataset) -> tuple[float, float]:
    return 0.0, 2.0 ** int(table.LUTDescriptor[2]) - 1.0


def _to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if not math.isfinite(low) or not low < high:
        raise ValueError(f"the values span {low} to {high}")
    scaled: Any = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
