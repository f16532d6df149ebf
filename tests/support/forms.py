"""One film in many forms: the same grey levels in every kind of file that hospitals have."""

import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pydicom
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from support.dicom_files import dicom, saved, table
from support.films import encode, pillow_bytes, tiny_film, with_exif

# How a stored picture is made of the film, so that it is the film when it is turned as EXIF says.
_STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda film: np.rot90(film, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,
    7: lambda film: np.rot90(film.T, 2),
    8: lambda film: np.rot90(film, -1),
}
_TWELVE = {"BitsStored": 12, "WindowCenter": "2048", "WindowWidth": "4096"}


def one_film() -> tuple[bytes, np.ndarray]:
    """Returns a JPEG and the film in it, of all greys from black to white; uint8 [H, W]."""
    film = tiny_film(11, pneumonia=True)
    film[:8, :8], film[:8, -8:] = 0, 255
    jpeg = encode(film)
    film = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert (film.min(), film.max()) == (0, 255)
    return jpeg, film


def forms() -> dict[str, bytes]:
    """The film by the name of a file that has it."""
    jpeg, film = one_film()
    return dict([*_jpegs(jpeg), *_pngs(film), *_dicoms(jpeg, film)])


def _jpegs(jpeg: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as_it_is.jpeg", jpeg
    yield "with_a_comment.jpeg", jpeg[:2] + b"\xff\xfe\x00\x0aDoe^Jane" + jpeg[2:]


def _pngs(film: np.ndarray) -> Iterator[tuple[str, bytes]]:
    twelve = np.rint(film * (4095 / 255)).astype(np.uint16)
    yield "grey.png", encode(film, ".png")
    yield "sixteen_bits.png", encode(film.astype(np.uint16) * 257, ".png")
    yield "twelve_of_sixteen_bits.png", encode(twelve, ".png")
    grey = Image.fromarray(film)
    for mode in ("RGB", "RGBA", "LA"):
        yield f"{mode}.png", pillow_bytes(grey.convert(mode), "PNG")
    palette = Image.fromarray(film, "P")
    palette.putpalette([level for level in range(256) for _ in range(3)])
    yield "palette.png", pillow_bytes(palette, "PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Doe^Jane")
    yield "with_a_text.png", pillow_bytes(grey, "PNG", pnginfo=text)
    for way, stored in _STORED.items():
        yield f"turned_{way}.png", with_exif(np.ascontiguousarray(stored(film)), "PNG", way)


def _dicoms(jpeg: bytes, film: np.ndarray) -> Iterator[tuple[str, bytes]]:
    twelve = np.rint(film * (4095 / 255)).astype(np.uint16)
    eight = dicom(film)
    yield "eight_bits.dcm", eight
    yield "no_preamble", eight[132:]
    yield "white_is_low.dcm", dicom(255 - film, PhotometricInterpretation="MONOCHROME1")
    yield "window.dcm", dicom(twelve, **_TWELVE)
    falling = {"RescaleSlope": "-1", "RescaleIntercept": "4095"}
    yield "falling_slope.dcm", dicom(4095 - twelve, **_TWELVE, **falling)
    signed = {"RescaleIntercept": "2048", "RescaleSlope": "1"}
    yield "signed.dcm", dicom(twelve.astype(np.int16) - 2048, **_TWELVE, **signed)
    to_eight = np.rint(np.arange(4096) * (255 / 4095)).astype(int).tolist()
    yield "table.dcm", dicom(twelve, BitsStored=12, VOILUTSequence=[table(to_eight, 0, 8)])
    yield "colour.dcm", dicom(np.repeat(film[..., np.newaxis], 3, axis=2))
    for name, syntax in (
        ("implicit.dcm", ImplicitVRLittleEndian),
        ("deflated.dcm", DeflatedExplicitVRLittleEndian),
        ("run_lengths.dcm", RLELossless),
        ("jpeg.dcm", JPEGBaseline8Bit),
    ):
        dataset = pydicom.dcmread(io.BytesIO(eight))
        if syntax is RLELossless:
            dataset.compress(syntax)
        elif syntax is JPEGBaseline8Bit:
            dataset.PixelData = encapsulate([jpeg])
            dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        yield name, saved(dataset)
    yield "big_endian.dcm", _big_endian(film)


def _big_endian(film: np.ndarray) -> bytes:
    dataset: Dataset = pydicom.dcmread(io.BytesIO(dicom(film.astype(np.uint16), BitsStored=8)))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = film.astype(">u2").tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, little_endian=False, implicit_vr=False)
    return file.getvalue()
