"""Films as other rooms, machines and exports would have made them.

A net may read what is of the machine and not of the child: how the film was stretched, cut or
compressed. Each change here leaves the finding as it is, so that what a model says should stay too
(Hendrycks & Dietterich 2019, ICLR; Zech et al. 2018, PLoS Med 15:e1002683).
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

# From uint8 [H, W] to uint8 [H', W'].
Apply = Callable[[np.ndarray], np.ndarray]

# Blur and sharpness are of a scale: one pixel of a film whose shorter side has so many.
_SIDE = 224
# A burnt-in letter: nearly white, small, and away from the middle of the film.
_MARKER_LEVEL = 235
_MARKER_AREA = (0.0002, 0.01)
_MARKER_MIDDLE = 0.5


class Change(NamedTuple):
    """One change of a film.

    Attributes:
        kind: what is done, in words.
        strength: how much of it, in words.
        apply: does it.
    """

    kind: str
    strength: str
    apply: Apply

    @property
    def name(self) -> str:
        """Kind and strength."""
        return f"{self.kind} {self.strength}".rstrip()

    def of(self, split: str) -> str:
        """Returns what to call the predictions of a split's films after the change."""
        return f"{split}, {self.name}"


def stretched(film: np.ndarray, height: float, width: float) -> np.ndarray:
    """Resizes height and width by factors of their own, as an export to another format does."""
    rows, columns = film.shape
    size = (max(1, round(columns * width)), max(1, round(rows * height)))
    return cv2.resize(film, size, interpolation=cv2.INTER_LINEAR)


def zoomed(film: np.ndarray, scale: float) -> np.ndarray:
    """Cuts out the middle, 1 / scale of each side, as a tighter collimation does."""
    rows, columns = (max(1, round(side / scale)) for side in film.shape)
    top, left = (film.shape[0] - rows) // 2, (film.shape[1] - columns) // 2
    return film[top : top + rows, left : left + columns]


def moved(film: np.ndarray, right: float, down: float, degrees: float = 0.0) -> np.ndarray:
    """Shifts by shares of the sides and turns counter-clockwise about the middle, on black."""
    rows, columns = film.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), degrees, 1.0)
    matrix[:, 2] += (right * columns, down * rows)
    return cv2.warpAffine(film, matrix, (columns, rows), flags=cv2.INTER_LINEAR)


def gamma(film: np.ndarray, exponent: float) -> np.ndarray:
    """Raises grey levels, 0 to 1, to a power."""
    return _grey(255.0 * (np.arange(256) / 255.0) ** exponent)[film]


def contrast(film: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies the distance to the mean grey level."""
    mean = float(film.mean())
    return _grey(mean + factor * (np.arange(256) - mean))[film]


def brightness(film: np.ndarray, share: float) -> np.ndarray:
    """Adds a share of the grey range."""
    return _grey(np.arange(256) + 255.0 * share)[film]


def blurred(film: np.ndarray, pixels: float) -> np.ndarray:
    """Blurs by a Gaussian; its standard deviation is of a film of 224 pixels."""
    sigma = pixels * min(film.shape) / _SIDE
    return cv2.GaussianBlur(film, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def sharpened(film: np.ndarray, amount: float) -> np.ndarray:
    """Adds the difference to the blurred film, so many times (unsharp masking)."""
    return _grey(film + amount * (film - blurred(film, 1.0).astype(np.float64)))


def recompressed(film: np.ndarray, quality: int) -> np.ndarray:
    """Encodes as JPEG of a quality, and decodes."""
    _, data = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def noisy(film: np.ndarray, deviation: float) -> np.ndarray:
    """Adds Gaussian noise, a share of the grey range; the same film gets the same noise."""
    rng = np.random.default_rng(zlib.crc32(film.tobytes()))
    return _grey(film + 255.0 * deviation * rng.standard_normal(film.shape))


def coarsened(film: np.ndarray, factor: float) -> np.ndarray:
    """Shrinks both sides by a factor, and enlarges them again."""
    rows, columns = film.shape
    small = (max(1, round(columns / factor)), max(1, round(rows / factor)))
    shrunk = cv2.resize(film, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (columns, rows), interpolation=cv2.INTER_LINEAR)


def bordered(film: np.ndarray, share: float, level: int) -> np.ndarray:
    """Puts a border of one grey level around the film, a share of each side wide."""
    rows, columns = (round(share * side) for side in film.shape)
    return cv2.copyMakeBorder(film, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=level)


def unmarked(film: np.ndarray) -> np.ndarray:
    """Fills small white marks outside of the middle, such as a burnt-in L or R, from around."""
    white = (film >= _MARKER_LEVEL).astype(np.uint8)
    _, parts, stats, centres = cv2.connectedComponentsWithStats(white)
    least, most = (share * film.size for share in _MARKER_AREA)
    areas = stats[:, cv2.CC_STAT_AREA]
    away = np.abs(centres / film.shape[::-1] - 0.5).max(axis=1) > _MARKER_MIDDLE / 2
    marks = np.isin(parts, np.flatnonzero((areas >= least) & (areas <= most) & away))
    marks &= parts > 0
    reach = 2 * max(1, min(film.shape) // 100) + 1
    grown = cv2.dilate(marks.astype(np.uint8), np.ones((reach, reach), np.uint8))
    return cv2.inpaint(film, grown, reach, cv2.INPAINT_TELEA) if grown.any() else film


def mirrored(film: np.ndarray) -> np.ndarray:
    """Exchanges left and right: the heart is on the other side."""
    return film[:, ::-1]


def _grey(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _all() -> Iterator[Change]:
    for by in (1.05, 1.15, 1.3):
        yield Change("height stretched", _percent(by - 1), partial(stretched, height=by, width=1))
    for by in (1.05, 1.15, 1.3):
        yield Change("width stretched", _percent(by - 1), partial(stretched, height=1, width=by))
    for by in (1.15, 1.3):
        yield Change("zoom", f"{by:g}", partial(zoomed, scale=by))
    for where, right, down in (("right", 0.1, 0.0), ("left", -0.1, 0.0), ("down", 0.0, 0.1)):
        yield Change("shift", f"10 % {where}", partial(moved, right=right, down=down))
    for by in (-10, 10):
        yield Change("rotation", f"{by:+} degrees", partial(moved, right=0, down=0, degrees=by))
    for by in (0.6, 0.8, 1.25, 1.6):
        yield Change("gamma", f"{by:g}", partial(gamma, exponent=by))
    for by in (0.6, 0.8, 1.2, 1.4):
        yield Change("contrast", f"{by:g}", partial(contrast, factor=by))
    for by in (-0.15, 0.15):
        yield Change("brightness", f"{by:+.0%}".replace("%", " %"), partial(brightness, share=by))
    for by in (1, 2):
        yield Change("blur", f"{by} px", partial(blurred, pixels=by))
    for by in (1, 3):
        yield Change("sharpening", f"{by}", partial(sharpened, amount=by))
    for by in (50, 15):
        yield Change("JPEG quality", f"{by}", partial(recompressed, quality=by))
    for by in (0.02, 0.05):
        yield Change("noise", _percent(by), partial(noisy, deviation=by))
    for by in (2, 4):
        yield Change("resolution", f"1/{by}", partial(coarsened, factor=by))
    for colour, level in (("black", 0), ("white", 255)):
        for by in (0.05, 0.1):
            yield Change(f"{colour} border", _percent(by), partial(bordered, share=by, level=level))
    yield Change("marks erased", "", unmarked)
    yield Change("mirror image", "", mirrored)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


CHANGES = tuple(_all())
