"""DICOM files for the tests."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

NAME, IDENTIFIER = "Doe^Jane", "4711"
EIGHT = np.array([[0, 1, 100], [200, 254, 255]], np.uint8)
DIGITAL_XRAY = UID("1.2.840.10008.5.1.4.1.1.1.1")


def dicom(pixels: np.ndarray, **tags: Any) -> bytes:
    """Returns a frontal chest radiograph of these stored values; None takes a tag away."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DIGITAL_XRAY
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    bits = 8 * pixels.itemsize
    colour = pixels.ndim == 3
    for keyword, value in {
        "SOPClassUID": DIGITAL_XRAY,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientName": NAME,
        "PatientID": IDENTIFIER,
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 3 if colour else 1,
        "PlanarConfiguration": 0 if colour else None,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": tags.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **tags,
    }.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    return saved(dataset)


def table(values: Sequence[int], first: int, bits: int, kind: str = "US") -> Dataset:
    """Returns the item of a sequence of tables, as US, as OW of words, or as OW of `bytes`."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(values) % 65536, first, bits])
    if kind == "US":
        item.add_new("LUTData", "US", list(values))
    else:
        words = np.asarray(values, "u1" if kind == "bytes" else "<u2")
        item.add_new("LUTData", "OW", words.tobytes())
    return item


def saved(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
