"""The data set of a run that is given none: generated, radiograph-like phantoms.

They show nobody, so they may be shipped, printed and thrown away. The set is as awkward as a real
one (many sizes, some colour and PNG files, several films of a patient, corrupt and double files),
and hard enough that a small net tells the classes apart, but not perfectly. A figure measured on
it says that the pipeline works, and nothing about patients.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from components.shared.errors import InputError
from components.shared.files import replace_folder

Finding = Literal["normal", "bacteria", "virus"]
Plane = npt.NDArray[np.float32]  # [H, W]
Counters = Mapping[str, Iterator[int]]

# Part of the marker: raise it whenever the same seed gives other bytes than before.
_VERSION = 1
_MARKER = ".demo.json"

_CLASS_FOLDERS: Mapping[Finding, str] = {
    "normal": "NORMAL",
    "bacteria": "PNEUMONIA",
    "virus": "PNEUMONIA",
}
# Good films per split and finding; corrupt and double files come on top, in train.
_FILMS: Mapping[str, Mapping[Finding, int]] = {
    "train": {"normal": 90, "bacteria": 120, "virus": 80},
    "val": {"normal": 8, "bacteria": 5, "virus": 3},
    "test": {"normal": 60, "bacteria": 54, "virus": 36},
}
_DUPLICATES = 3
# Shares of the films that are PNG and colour JPEG; the others are grey JPEG.
_PNG_SHARE = 0.03
_COLOUR_SHARE = 0.04
# Share of the normal films that show a thymus, a fold of skin or a shallow breath, drawn like an
# opacity: no reader tells them apart, which keeps every net off a perfect score.
_MIMIC_SHARE = 0.08


def write_demo_data(folder: Path, *, seed: int = 7) -> None:
    """Writes the data set, whole or not at all; a folder that already holds it stays as it is.

    The files are `folder/{train,val,test}/{NORMAL,PNEUMONIA}/*`, named as in the public set: 456
    films, JPEG or PNG, and in train also five corrupt files and three copies under other names.
    The same seed gives the same bytes, given the same versions of NumPy and OpenCV.

    Args:
        folder: where to; absent, empty, or holding an earlier demo data set, which is replaced if
            it is of another seed or of another version of this generator.
        seed: of every random choice, 0 or more.

    Raises:
        InputError: `folder` is a file, or holds something that was not written here.
    """
    _write(folder.resolve(), seed, _FILMS)


def _write(folder: Path, seed: int, films: Mapping[str, Mapping[Finding, int]]) -> None:
    if _is_written(folder, seed):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that the renames stay within one file system.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        files = _files(seed, films)
        marker = {"version": _VERSION, "seed": seed, "files": len(files) + 1}  # itself included
        files[_MARKER] = (json.dumps(marker) + "\n").encode()
        for name, data in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        replace_folder(folder, new, old)


def _is_written(folder: Path, seed: int) -> bool:
    """Says whether the very set is there; refuses where anything else would be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; the demo data set needs a folder.")
    if not folder.exists() or not any(folder.iterdir()):
        return False
    try:
        marker = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        same, written = (marker["version"], marker["seed"]) == (_VERSION, seed), marker["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder} is not empty and holds no demo data set; name another folder."
        ) from None
    # Somebody may have put films of their own beside ours.
    if not same and sum(path.is_file() for path in folder.rglob("*")) > written:
        raise InputError(
            f"{folder} holds another demo data set and files that are no part of it; "
            "name another folder."
        )
    return same


def _files(seed: int, films: Mapping[str, Mapping[Finding, int]]) -> dict[str, bytes]:
    """Returns every file of the set: relative path to bytes."""
    rng = np.random.default_rng(seed)
    # One counter per stream across all splits, so that no patient is in two of them.
    counters = {
        "IM": count(115),
        "NORMAL2-IM": count(383),
        "bacteria": count(23),
        "virus": count(80),
        "bacteria film": count(78),
        "virus film": count(150),
    }
    files: dict[str, bytes] = {}
    for split, findings in films.items():
        for finding, number in findings.items():
            for stem in _stems(rng, finding, number, counters):
                suffix, data = _film_file(seed, stem, finding)
                files[f"{split}/{_CLASS_FOLDERS[finding]}/{stem}{suffix}"] = data
    return files | _duplicates(rng, files, counters) | _rubbish(rng, counters)


def _stems(rng: np.random.Generator, finding: Finding, films: int, counters: Counters) -> list[str]:
    """Returns file names without suffix: of many patients, one to three films each."""
    stems: list[str] = []
    while len(stems) < films:
        number = min(int(rng.choice((1, 1, 1, 2, 3))), films - len(stems))
        if finding == "normal":
            prefix = str(rng.choice(("IM", "NORMAL2-IM")))
            stem = f"{prefix}-{next(counters[prefix]):04d}-0001"
            stems += [stem] if number == 1 else [f"{stem}-{i:04d}" for i in range(1, number + 1)]
        else:
            stem = f"person{next(counters[finding])}_{finding}"
            stems += [f"{stem}_{next(counters[f'{finding} film'])}" for _ in range(number)]
    return stems


def _film_file(seed: int, stem: str, finding: Finding) -> tuple[str, bytes]:
    """Returns the suffix and the bytes of one film, which depend on its name and the seed alone."""
    key = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big")
    rng = np.random.default_rng([seed, key])
    film = draw_film(rng, finding)
    kind = rng.random()
    if kind < _PNG_SHARE:
        return ".png", _encode(".png", film)
    if kind < _PNG_SHARE + _COLOUR_SHARE:
        film = cv2.cvtColor(film, cv2.COLOR_GRAY2BGR)
    return ".jpeg", _encode(".jpeg", film, cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 96)))


def _encode(suffix: str, film: npt.NDArray[np.uint8], *options: int) -> bytes:
    _, data = cv2.imencode(suffix, film, options)
    return bytes(data)


def _duplicates(
    rng: np.random.Generator, files: Mapping[str, bytes], counters: Counters
) -> dict[str, bytes]:
    """Copies films of train to new patients of the same class, which no name gives away."""
    train = [name for name in files if name.startswith("train/")]
    copies: dict[str, bytes] = {}
    for name in rng.choice(train, _DUPLICATES, replace=False):
        path = Path(name)
        finding: Finding = next(
            (kind for kind in _CLASS_FOLDERS if f"_{kind}_" in path.name), "normal"
        )
        (stem,) = _stems(rng, finding, 1, counters)
        copies[path.with_name(stem + path.suffix).as_posix()] = files[name]
    return copies


def _rubbish(rng: np.random.Generator, counters: Counters) -> dict[str, bytes]:
    """Returns what lies about in real folders: files that only look like films."""
    film = draw_film(rng, "normal")
    jpeg, png = _encode(".jpeg", film), bytearray(_encode(".png", film))
    png[-16] ^= 0xFF  # in the checksum of the pixels: the closing chunk takes the last 12 bytes
    corrupt: list[tuple[Finding, str, bytes]] = [
        ("normal", ".jpeg", b""),
        ("normal", ".jpeg", jpeg[: len(jpeg) // 2]),
        ("bacteria", ".jpeg", b"The film was not found in the archive.\n"),
        ("bacteria", ".jpeg", rng.bytes(5000)),
        ("virus", ".png", bytes(png)),
    ]
    rubbish = {"train/NORMAL/.DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(24)}
    for finding, suffix, data in corrupt:
        (stem,) = _stems(rng, finding, 1, counters)
        rubbish[f"train/{_CLASS_FOLDERS[finding]}/{stem}{suffix}"] = data
    return rubbish


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
        Grey levels, uint8 [H, W], with air dark: 180 to 420 pixels wide, W / H is 1.0 to 1.5.
    """
    width = int(rng.integers(180, 421))
    height = round(width / rng.triangular(1.0, 1.2, 1.5))
    body = _pose(rng, height, width)
    # Lungs in a deep breath are darker: normal variation that hides a weak opacity.
    density = _soft_tissue(rng, body) * (1 - rng.uniform(0.68, 0.76) * body.lungs)
    density += _bones(rng, body) + _vessels(rng, body)
    if finding == "normal" and rng.random() < _MIMIC_SHARE:
        finding = "bacteria" if rng.random() < 0.4 else "virus"
    if finding == "bacteria":
        density += _patches(rng, body)
    elif finding == "virus":
        density += _haze(rng, body)
    return _expose(rng, density)


def _pose(rng: np.random.Generator, height: int, width: int) -> _Body:
    across, down = np.meshgrid(
        np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    )
    angle, scale = np.radians(rng.uniform(-4, 4)), rng.uniform(0.96, 1.04)
    across = (across - rng.uniform(-0.04, 0.04)) / scale
    down = (down - rng.uniform(-0.04, 0.04)) / scale
    x = np.cos(angle) * across + np.sin(angle) * down
    y = np.cos(angle) * down - np.sin(angle) * across
    return _Body(x, y, _lung_fields(rng, x, y))


def _lung_fields(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    floor = rng.uniform(0.52, 0.64)  # the top of the diaphragm: how deep the breath was
    fields = np.zeros_like(x)
    for side in (-1, 1):
        lung = _ellipse(x, y, (side * 0.41, 0.05), (0.31, 0.80), power=2.6)
        # The liver lifts the right dome.
        dome = _ellipse(x, y, (side * 0.40, floor + 0.40 + 0.03 * side), (0.52, 0.42))
        fields = np.maximum(fields, lung * (1 - dome))
    heart = _ellipse(x, y, (0.13, 0.33), (rng.uniform(0.26, 0.34), 0.36), edge=0.05)
    mediastinum = _ellipse(x, y, (0.02, -0.3), (rng.uniform(0.13, 0.18), 0.6), edge=0.06)
    return fields * (1 - heart) * (1 - 0.8 * mediastinum)


def _soft_tissue(rng: np.random.Generator, body: _Body) -> Plane:
    x, y = body.x, body.y
    torso = _ellipse(x, y, (0, 0.25), (rng.uniform(0.79, 0.85), 1.05), power=3.5, edge=0.03)
    neck = _ellipse(x, y, (0, -1), (0.24, 0.45), power=3, edge=0.05)
    heart = _ellipse(x, y, (0.12, 0.33), (0.30, 0.36), edge=0.08)
    belly = 1 / (1 + np.exp((0.75 - y) / 0.08))
    return np.maximum(torso, 0.8 * neck) * (1 + 0.35 * heart + 0.3 * belly)


def _bones(rng: np.random.Generator, body: _Body) -> Plane:
    x, y = np.abs(body.x), body.y
    cage = _ellipse(x, y, (0, 0.05), (0.76, 0.92), power=2.6)
    # Ribs leave the spine and fall towards the side.
    along = y - 0.9 * (x - 0.25) ** 2 - 0.1 * x
    waves = np.cos(rng.uniform(24, 28) * along + rng.uniform(0, 2 * np.pi))
    ribs = rng.uniform(0.06, 0.16) * np.clip(waves, 0, 1) ** 3 * cage
    spine = 0.45 * np.exp(-((x / 0.08) ** 2)) * (1 + 0.15 * np.cos(30 * y))
    offset = y + 0.66 + rng.uniform(0.05, 0.2) * (x - 0.35)
    reach = _ellipse(x, y, (0.36, -0.66), (0.3, 0.3))
    clavicles = 0.25 * np.exp(-((offset / 0.03) ** 2)) * reach
    return ribs + spine + clavicles


def _vessels(rng: np.random.Generator, body: _Body) -> Plane:
    """Draws the markings around the hila, plain in some healthy children, faint in others."""
    hila = np.exp(-(((np.abs(body.x) - 0.22) / 0.22) ** 2) - ((body.y - 0.05) / 0.45) ** 2)
    strength = 0.05 + 0.05 * rng.gamma(1.5)
    return strength * _strands(rng, body, 0.06) * hila * body.lungs


def _patches(rng: np.random.Generator, body: _Body) -> Plane:
    """Draws one or two filled lobes, dense and with soft, ragged edges."""
    lobes = np.zeros_like(body.x)
    for _ in range(1 if rng.random() < 0.4 else 2):
        # Off the heart, where nothing would show.
        centre = (rng.choice((-1, 1)) * rng.uniform(0.36, 0.50), rng.uniform(-0.4, 0.3))
        radii = (rng.uniform(0.32, 0.42), rng.uniform(0.45, 0.70))
        lobes = np.maximum(lobes, _ellipse(body.x, body.y, centre, radii, edge=0.15))
    # Mostly plain to see, with a tail of weak ones that fade into normal variation.
    strength = 0.5 + 0.7 * rng.beta(4, 1)
    return strength * lobes * (1 + 0.25 * _clouds(rng, body, 0.12)) * body.lungs


def _haze(rng: np.random.Generator, body: _Body) -> Plane:
    """Veils both lungs unevenly and draws a fine net of thickened septa."""
    strength = 0.35 + 0.45 * rng.beta(4, 1)  # see _patches
    veil = 0.7 + 0.3 * _clouds(rng, body, 0.3)
    return strength * (0.6 * veil + 0.4 * _strands(rng, body, 0.03)) * body.lungs


def _expose(rng: np.random.Generator, density: Plane) -> npt.NDArray[np.uint8]:
    """Turns what the rays met into grey levels, with the blur and the noise of the detector."""
    film = 1 - np.exp(-rng.uniform(1.13, 1.22) * np.maximum(density, 0))
    film = cv2.GaussianBlur(film, (0, 0), rng.uniform(0.5, 1.2))
    film = rng.uniform(0.94, 1.0) * film ** rng.uniform(0.96, 1.04) + rng.uniform(0.0, 0.03)
    film += rng.uniform(0.008, 0.025) * rng.standard_normal(film.shape, np.float32)
    return (255 * np.clip(film, 0, 1)).astype(np.uint8)


def _ellipse(
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    power: float = 2.0,
    edge: float = 0.04,
) -> Plane:
    """Returns 1 inside, 0 outside, soft over `edge`; a `power` above 2 squares the corners."""
    distance = np.abs((x - centre[0]) / radii[0]) ** power
    distance += np.abs((y - centre[1]) / radii[1]) ** power
    # Clipped where the curve is flat anyway: exp would overflow far outside.
    return 1 / (1 + np.exp(np.clip((np.sqrt(distance) - 1) / (2 * edge), -30, 30)))


def _clouds(rng: np.random.Generator, body: _Body, grain: float) -> Plane:
    """Returns smooth noise of unit variance; `grain` is its scale as a share of the width."""
    height, width = body.x.shape
    shape = tuple(int(side / (grain * width)) + 3 for side in (height, width))
    coarse = rng.standard_normal(shape, np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return fine / fine.std()


def _strands(rng: np.random.Generator, body: _Body, grain: float) -> Plane:
    """Returns thin, bright, winding lines, 0 to 1: where smooth noise crosses zero."""
    return np.exp(-((_clouds(rng, body, grain) / 0.35) ** 2))
