"""The data set that a run uses when it is given none: generated, radiograph-like phantoms.

Nobody's films, so they may be shipped, printed and thrown away. They are made to be as awkward as
a real set (many sizes, a few colour and PNG files, corrupt and double ones, several films of a
patient) and as hard as a small net can take: it tells the classes apart, but not perfectly.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from components.errors import InputError

Finding = Literal["normal", "bacteria", "virus"]
Plane = npt.NDArray[np.float32]  # [H, W]

# Part of the marker: raise it whenever the same seed gives other bytes than before.
_VERSION = 1
_MARKER = ".demo.json"

# Good films per split and finding; corrupt and double files come on top, in train.
_FILMS: Mapping[str, Mapping[Finding, int]] = {
    "train": {"normal": 90, "bacteria": 120, "virus": 80},
    "val": {"normal": 8, "bacteria": 5, "virus": 3},
    "test": {"normal": 60, "bacteria": 54, "virus": 36},
}
_DUPLICATES = 3
_CORRUPT_SUFFIXES = (".jpeg", ".jpeg", ".jpeg", ".jpeg", ".png")

# Shares of the films: the rest are grey JPEG.
_PNG_SHARE = 0.03
_COLOUR_SHARE = 0.04


@dataclass(frozen=True)
class _Body:
    """Where each pixel lies in the patient, and where the air is.

    Attributes:
        x: to the patient's left, 0 at the spine, about 1 at the edge of the film.
        y: downwards, -1 at the neck, 1 below the diaphragm.
        lungs: 1 in a lung, 0 outside, soft edges.
    """

    x: Plane
    y: Plane
    lungs: Plane


def draw_film(rng: np.random.Generator, finding: Finding) -> npt.NDArray[np.uint8]:
    """Draws one frontal chest film.

    Args:
        rng: what makes the film differ from others; the same state gives the same film.
        finding: `normal`, `bacteria` (one or two patches) or `virus` (both lungs, diffuse).

    Returns:
        Grey levels, uint8 [H, W]; air is dark, 180 to 420 pixels wide, W / H is 1.0 to 1.5.
    """
    width = int(rng.integers(180, 421))
    height = int(round(width / rng.uniform(1.0, 1.5)))
    body = _pose(rng, height, width)
    # Lungs in deep inspiration are darker: normal variation that hides a weak opacity.
    density = _soft_tissue(rng, body) * (1 - rng.uniform(0.66, 0.76) * body.lungs)
    density += _bones(rng, body) + _markings(rng, body)
    if finding == "bacteria":
        density += _patches(rng, body)
    elif finding == "virus":
        density += _haze(rng, body)
    return _expose(rng, density)


def _pose(rng: np.random.Generator, height: int, width: int) -> _Body:
    across, down = np.meshgrid(
        np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    )
    angle = np.radians(rng.uniform(-4, 4))
    scale = rng.uniform(0.94, 1.06)
    across = (across - rng.uniform(-0.06, 0.06)) / scale
    down = (down - rng.uniform(-0.06, 0.06)) / scale
    x = (np.cos(angle) * across + np.sin(angle) * down).astype(np.float32)
    y = (np.cos(angle) * down - np.sin(angle) * across).astype(np.float32)
    return _Body(x, y, _lung_fields(rng, x, y))


def _lung_fields(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    base = rng.uniform(0.52, 0.64)  # the domes of the diaphragm: how deep the breath was
    fields = np.zeros_like(x)
    for side in (-1, 1):
        lung = _ellipse(x, y, (side * 0.41, 0.05), (0.31, 0.80), power=2.6)
        # The liver lifts the right dome.
        dome = _ellipse(x, y, (side * 0.40, base + 0.40 + 0.03 * side), (0.52, 0.42))
        fields = np.maximum(fields, lung * (1 - dome))
    heart = _ellipse(x, y, (0.13, 0.33), (rng.uniform(0.26, 0.34), 0.36), edge=0.05)
    vessels = _ellipse(x, y, (0.02, -0.3), (rng.uniform(0.13, 0.18), 0.6), edge=0.06)
    return fields * (1 - heart) * (1 - 0.8 * vessels)


def _ellipse(
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    power: float = 2.0,
    edge: float = 0.04,
) -> Plane:
    """Returns 1 inside, 0 outside; a `power` above 2 squares the corners."""
    distance = np.abs((x - centre[0]) / radii[0]) ** power
    distance += np.abs((y - centre[1]) / radii[1]) ** power
    # Clipped where the sigmoid is flat anyway: exp would overflow far outside.
    steep = np.clip((np.sqrt(distance) - 1) / (2 * edge), -30, 30)
    return (1 / (1 + np.exp(steep))).astype(np.float32)


def _soft_tissue(rng: np.random.Generator, body: _Body) -> Plane:
    x, y = body.x, body.y
    torso = _ellipse(x, y, (0, 0.45), (rng.uniform(0.80, 0.88), 1.25), power=3.5, edge=0.03)
    neck = _ellipse(x, y, (0, -1), (0.24, 0.45), power=3, edge=0.05)
    heart = _ellipse(x, y, (0.12, 0.33), (0.30, 0.36), edge=0.08)
    belly = 1 / (1 + np.exp(np.clip((0.75 - y) / 0.08, -30, 30)))
    return np.maximum(torso, 0.8 * neck) * (1 + 0.35 * heart + 0.3 * belly)


def _bones(rng: np.random.Generator, body: _Body) -> Plane:
    x, y = body.x, body.y
    cage = _ellipse(x, y, (0, 0.05), (0.76, 0.92), power=2.6)
    # Ribs leave the spine, rise a little and fall towards the side.
    run = y - 0.9 * (np.abs(x) - 0.25) ** 2 - 0.1 * np.abs(x)
    ribs = np.clip(np.cos(rng.uniform(24, 28) * run + rng.uniform(0, 6.28)), 0, 1) ** 3 * cage
    spine = np.exp(-((x / 0.08) ** 2)) * (1 + 0.15 * np.cos(30 * y)) * (y > -1.2)
    tilt = rng.uniform(0.05, 0.2)
    line = np.abs(y + 0.66 + tilt * (np.abs(x) - 0.35))
    clavicles = np.exp(-((line / 0.03) ** 2)) * _ellipse(np.abs(x), y, (0.36, -0.66), (0.3, 0.3))
    return (rng.uniform(0.06, 0.16) * ribs + 0.45 * spine + 0.25 * clavicles).astype(np.float32)


def _markings(rng: np.random.Generator, body: _Body) -> Plane:
    """Vessels around the hila, which every film shows; some normal ones as much as a sick one."""
    hila = np.exp(-(((np.abs(body.x) - 0.22) / 0.22) ** 2) - ((body.y - 0.05) / 0.45) ** 2)
    strength = 0.05 + 0.05 * rng.gamma(1.5)
    return strength * _strands(rng, body, 0.06) * hila * body.lungs


def _patches(rng: np.random.Generator, body: _Body) -> Plane:
    """One or two lobes filled: dense, soft-edged, on one side or both."""
    total = np.zeros_like(body.x)
    strength = rng.uniform(0.25, 0.6)
    for _ in range(int(rng.integers(1, 3))):
        centre = (rng.choice((-1, 1)) * rng.uniform(0.3, 0.5), rng.uniform(-0.3, 0.45))
        radii = (rng.uniform(0.18, 0.32), rng.uniform(0.18, 0.35))
        lobe = _ellipse(body.x, body.y, centre, radii, edge=0.15)
        total = np.maximum(total, lobe)
    ragged = 1 + 0.25 * _clouds(rng, body, 0.12)
    return (strength * total * ragged * body.lungs).astype(np.float32)


def _haze(rng: np.random.Generator, body: _Body) -> Plane:
    """Both lungs veiled, with a fine net of thickened septa."""
    strength = rng.uniform(0.12, 0.35)
    veil = 0.7 + 0.3 * _clouds(rng, body, 0.3)
    net = _strands(rng, body, 0.03)
    return strength * (0.6 * veil + 0.4 * net) * body.lungs


def _clouds(rng: np.random.Generator, body: _Body, grain: float) -> Plane:
    """Returns smooth noise of unit variance; `grain` is its cell as a share of the width."""
    height, width = body.x.shape
    cell = grain * width
    coarse = rng.standard_normal((int(height / cell) + 3, int(width / cell) + 3), np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return fine / (fine.std() + 1e-6)


def _strands(rng: np.random.Generator, body: _Body, grain: float) -> Plane:
    """Returns thin bright winding lines, 0 to 1: where smooth noise crosses zero."""
    return np.exp(-((_clouds(rng, body, grain) / 0.35) ** 2))


def _expose(rng: np.random.Generator, density: Plane) -> npt.NDArray[np.uint8]:
    film = 1 - np.exp(-rng.uniform(1.0, 1.35) * density)
    film = cv2.GaussianBlur(film.astype(np.float32), (0, 0), rng.uniform(0.5, 1.2))
    film = film ** rng.uniform(0.85, 1.15) * rng.uniform(0.85, 1.0) + rng.uniform(0.0, 0.06)
    grain = rng.standard_normal(film.shape, np.float32) * rng.uniform(0.008, 0.025)
    return np.clip((film + grain) * 255, 0, 255).astype(np.uint8)


def write_demo_data(folder: Path, *, seed: int = 7) -> None:
    """Writes the data set, whole or not at all; a folder that already holds it stays as it is.

    The files are `folder/{train,val,test}/{NORMAL,PNEUMONIA}/*`, named as in the public set, with
    corrupt and double files in train. The same seed gives the same bytes.

    Args:
        folder: where to; it may be absent, empty, or hold an earlier demo data set, which a
            different seed or generator version replaces.
        seed: of every random choice.

    Raises:
        InputError: `folder` is a file, or holds something that was not written here.
    """
    _write(folder, seed, _FILMS)


def _write(folder: Path, seed: int, films: Mapping[str, Mapping[Finding, int]]) -> None:
    """Does what `write_demo_data` does, for any number of films."""
    folder = folder.resolve()  # a link is kept: what it points to is replaced
    marker = {"generator": "cxr demo", "version": _VERSION, "seed": seed}
    if _is_written(folder, marker):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A neighbour, so that the renames stay on one file system.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        for name, data in _files(seed, films):
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (new / _MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)


def _is_written(folder: Path, marker: Mapping[str, object]) -> bool:
    """Says whether `folder` holds this very set; refuses to go on where it holds another's."""
    try:
        return bool(json.loads((folder / _MARKER).read_text(encoding="utf-8")) == marker)
    except (FileNotFoundError, ValueError):
        pass
    except NotADirectoryError:
        raise InputError(f"{folder} is a file; the demo data set needs a folder") from None
    return False
