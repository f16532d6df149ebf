"""Tiny films, and data sets of them."""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from components.shared.limits import FilmLimits

# Takes films of a few pixels, of any shape.
TINY = FilmLimits(min_side=1, max_aspect_ratio=1e9)

Layout = Mapping[str, Mapping[str, int]]


def tiny_film(
    seed: int, *, pneumonia: bool = False, height: int = 40, width: int = 48
) -> np.ndarray:
    """A bright spine between dark lungs; a finding brightens the lungs. uint8 [H, W]."""
    rng = np.random.default_rng(seed)
    film = np.full((height, width), 25.0)
    film[:, width * 2 // 5 : width * 3 // 5] = 190.0
    if pneumonia:
        film[height // 4 : -height // 4, width // 6 : -width // 6] += 50.0
    return np.clip(film + rng.normal(0.0, 8.0, film.shape), 0, 255).astype(np.uint8)


def encode(pixels: np.ndarray, extension: str = ".jpeg", *parameters: int) -> bytes:
    """The bytes of an image file."""
    done, data = cv2.imencode(extension, pixels, list(parameters))
    assert done
    return data.tobytes()


def film_name(folder: str, label: str, number: int) -> str:
    """A name as in the public set, of a patient that no other call gives."""
    block = {"train": 1000, "val": 5000, "test": 8000}[folder] + number
    if label == "NORMAL":
        return f"{'IM' if number % 2 else 'NORMAL2-IM'}-{block}-0001.jpeg"
    return f"person{block}_{'bacteria' if number % 2 else 'virus'}_{number}.jpeg"


def write_films(folder: Path, layout: Layout) -> Path:
    """Writes films of {split folder: {class: how many}}."""
    for split, classes in layout.items():
        for label, count in classes.items():
            target = folder / split / label
            target.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed = zlib.crc32(f"{split}{label}{number}".encode())
                film = tiny_film(seed, pneumonia=label == "PNEUMONIA")
                (target / film_name(split, label, number)).write_bytes(encode(film))
    return folder


def with_exif(film: np.ndarray, kind: str, way: int) -> bytes:
    """A JPEG or PNG of the pixels whose EXIF orientation is the given number."""
    exif = Image.Exif()
    exif[0x0112] = way
    return pillow_bytes(Image.fromarray(film), kind, exif=exif.tobytes())


def pillow_bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
