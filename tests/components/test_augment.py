import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from components.trainer.augment import augment, film_seed
from components.trainer.settings import Augmentation
from films import tiny_film

SEED = tf.constant([1, 2], tf.int32)
AngleShiftScale = tuple[float, float, float, float]
FixDraw = Callable[..., None]


def bounds(
    rotation: float = 0.0,
    shift: float = 0.0,
    zoom: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    flip: bool = False,
) -> Augmentation:
    return Augmentation(rotation, shift, zoom, brightness, contrast, flip)


def film(side: int = 32) -> np.ndarray:
    return cv2.resize(tiny_film(1), (side, side)).astype(np.float32)


def augmented(picture: np.ndarray, limits: Augmentation, seed: tf.Tensor = SEED) -> np.ndarray:
    out = augment(tf.constant(picture, tf.float32)[..., tf.newaxis], seed, limits)
    assert out.dtype == tf.float32
    assert out.shape == (*picture.shape, 1)
    return out.numpy()[..., 0]


@pytest.fixture
def fix_draw(monkeypatch: pytest.MonkeyPatch) -> FixDraw:
    """Replaces the random numbers by given ones, 0 where none is given."""

    def fix(
        angle: float = 0.0,
        right: float = 0.0,
        down: float = 0.0,
        zoom: float = 0.0,
        contrast: float = 0.0,
        brightness: float = 0.0,
        flip: float = 0.0,
    ) -> None:
        draw = [angle, right, down, zoom, contrast, brightness, flip]

        def uniform(shape: Sequence[int], *_: object) -> tf.Tensor:
            assert list(shape) == [7]
            return tf.constant(draw, tf.float32)

        monkeypatch.setattr(tf.random, "stateless_uniform", uniform)

    return fix


@pytest.mark.parametrize("side", [32, 33])
def test_zero_bounds_leave_the_film_as_it_is(side: int) -> None:
    for seed in range(5):
        out = augmented(film(side), bounds(), tf.constant([seed, 7], tf.int32))
        np.testing.assert_allclose(out, film(side), atol=1e-3)


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize(("draw", "turns"), [(1.0, 1), (-1.0, -1)])
def test_a_quarter_turn(fix_draw: FixDraw, side: int, draw: float, turns: int) -> None:
    fix_draw(angle=draw)
    out = augmented(film(side), bounds(rotation=90.0))
    np.testing.assert_allclose(out, np.rot90(film(side), turns), atol=0.01)


def test_half_of_the_bound_is_half_of_the_angle(fix_draw: FixDraw) -> None:
    fix_draw(angle=0.5)
    out = augmented(film(), bounds(rotation=180.0))
    np.testing.assert_allclose(out, np.rot90(film()), atol=0.01)


def test_a_shift_by_whole_pixels(fix_draw: FixDraw) -> None:
    # Of 32 pixels, 0.25 are 8 to the right, and a half of that upwards.
    fix_draw(right=1.0, down=-0.5)
    expected = np.zeros((32, 32))
    expected[:-4, 8:] = film()[4:, :-8]
    np.testing.assert_allclose(augmented(film(), bounds(shift=0.25)), expected, atol=0.01)


def test_zoom_out_about_the_centre(fix_draw: FixDraw) -> None:
    # Half the scale: row 16 stays, row 16 + k shows what was at 16 + 2k.
    fix_draw(zoom=-1.0)
    expected = np.zeros((33, 33))
    expected[8:25, 8:25] = film(33)[::2, ::2]
    np.testing.assert_allclose(augmented(film(33), bounds(zoom=0.5)), expected, atol=0.01)


def test_zoom_in_about_the_centre(fix_draw: FixDraw) -> None:
    # 1.5 times the scale: row 16 + 3k shows what was at 16 + 2k.
    fix_draw(zoom=1.0)
    out = augmented(film(33), bounds(zoom=0.5))
    np.testing.assert_allclose(out[1::3, 1::3], film(33)[6:27:2, 6:27:2], atol=0.01)


def moved_by_scipy(
    picture: np.ndarray, degrees: float, right: float, down: float, scale: float
) -> np.ndarray:
    """Rotates counter-clockwise and scales about the centre, then shifts, in pixels."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    back = np.array([[cos, sin], [-sin, cos]]) / scale  # of rows and columns
    centre = np.array([(side - 1) / 2 for side in picture.shape])
    offset = centre - back @ (centre + np.array([down, right]))
    return ndimage.affine_transform(picture, back, offset, order=1, mode="grid-constant")


@pytest.mark.parametrize("side", [32, 45])
@pytest.mark.parametrize(
    "draw", [(0.7, 0.0, 0.0, 0.0), (0.0, 0.3, -0.9, 0.0), (-0.4, 0.6, 0.2, 0.8), (1, -1, -1, -1)]
)
def test_all_moves_together_as_scipy_makes_them(
    fix_draw: FixDraw, side: int, draw: AngleShiftScale
) -> None:
    angle, right, down, zoom = draw
    fix_draw(angle, right, down, zoom)
    out = augmented(film(side), bounds(rotation=30.0, shift=0.2, zoom=0.4))
    expected = moved_by_scipy(
        film(side), 30.0 * angle, 0.2 * side * right, 0.2 * side * down, 1 + 0.4 * zoom
    )
    np.testing.assert_allclose(out, expected, atol=0.05)


def test_flip_mirrors_left_and_right_where_the_draw_says_so(fix_draw: FixDraw) -> None:
    fix_draw(flip=0.5)
    np.testing.assert_allclose(augmented(film(), bounds(flip=True)), film()[:, ::-1], atol=1e-3)
    np.testing.assert_allclose(augmented(film(), bounds(flip=False)), film(), atol=1e-3)
    fix_draw(flip=-0.5)
    np.testing.assert_allclose(augmented(film(), bounds(flip=True)), film(), atol=1e-3)


def test_contrast_and_brightness_by_hand(fix_draw: FixDraw) -> None:
    picture = np.array([[0.0, 100.0], [180.0, 120.0]])  # mean 100
    fix_draw(contrast=1.0)
    out = augmented(picture, bounds(contrast=0.5))
    np.testing.assert_allclose(out, [[0.0, 100.0], [220.0, 130.0]], atol=1e-3)
    fix_draw(contrast=-0.5)
    out = augmented(picture, bounds(contrast=0.5))
    np.testing.assert_allclose(out, [[25.0, 100.0], [160.0, 115.0]], atol=1e-3)
    fix_draw(brightness=-1.0)
    out = augmented(picture, bounds(brightness=0.2))
    np.testing.assert_allclose(out, [[0.0, 49.0], [129.0, 69.0]], atol=1e-3)
    # Clipped once, at the end: -50 + 51 is 1, and 220 + 51 is too bright.
    fix_draw(contrast=1.0, brightness=1.0)
    out = augmented(picture, bounds(contrast=0.5, brightness=0.2))
    np.testing.assert_allclose(out, [[1.0, 151.0], [255.0, 181.0]], atol=1e-3)


WILD = bounds(rotation=180.0, shift=0.5, zoom=0.9, brightness=1.0, contrast=1.0, flip=True)


def test_values_stay_in_the_grey_range() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32))
    views = np.stack(
        [augmented(noise, WILD, tf.constant([seed, 0], tf.int32)) for seed in range(40)]
    )
    assert np.isfinite(views).all()
    assert views.min() == 0.0
    assert views.max() == 255.0


def test_draws_are_spread_evenly_between_the_bounds() -> None:
    grey = tf.fill((2, 2, 1), 128.0)
    names = tf.constant([f"train/NORMAL/{number}.jpeg" for number in range(400)])
    levels = tf.data.Dataset.from_tensor_slices(names).map(
        lambda name: augment(grey, film_seed(name, 0, 1), bounds(brightness=0.1))[0, 0, 0]
    )
    shares = np.sort((np.array(list(levels.as_numpy_iterator())) - 128.0) / 25.5)
    assert -1.0 <= shares[0] < -0.98
    assert 0.98 < shares[-1] <= 1.0
    # The distance to the even distribution that Kolmogorov and Smirnov allow at 0.1 %.
    assert np.abs(shares - np.linspace(-1, 1, 400)).max() / 2 < 1.95 / math.sqrt(400)


MILD = bounds(rotation=10.0, shift=0.05, zoom=0.1, brightness=0.1, contrast=0.1)


def view_of(name: str, view: int, seed: int) -> np.ndarray:
    return augmented(film(), MILD, film_seed(tf.constant(name), view, seed))


def test_a_view_follows_from_name_number_and_seed() -> None:
    first = view_of("train/NORMAL/IM-1.jpeg", 0, 1)
    np.testing.assert_array_equal(first, view_of("train/NORMAL/IM-1.jpeg", 0, 1))
    for other in (
        view_of("train/NORMAL/IM-2.jpeg", 0, 1),
        view_of("train/NORMAL/IM-1.jpeg", 1, 1),
        view_of("train/NORMAL/IM-1.jpeg", 0, 2),
    ):
        assert np.abs(first - other).mean() > 1.0


def test_seeds_of_films_and_views_do_not_meet() -> None:
    names = [f"train/NORMAL/{number}.jpeg" for number in range(100)]
    seeds = {
        tuple(film_seed(tf.constant(name), view, 2**31 - 1).numpy().tolist())
        for name in names
        for view in range(12)
    }
    assert len(seeds) == 1200
    assert {seed[1] for seed in seeds} == {2**31 - 1}
    assert min(seed[0] for seed in seeds) >= 0


def test_order_and_threads_do_not_matter() -> None:
    names = [f"{number}.jpeg" for number in range(12)]
    pictures = {name: tiny_film(number)[:32, :32] for number, name in enumerate(names)}

    def views(order: list[str], threads: int) -> dict[str, np.ndarray]:
        stacked = np.stack([pictures[name] for name in order])[..., np.newaxis]
        found = tf.data.Dataset.from_tensor_slices((order, stacked.astype(np.float32))).map(
            lambda name, picture: (name, augment(picture, film_seed(name, 3, 1), MILD)),
            num_parallel_calls=threads,
            deterministic=False,
        )
        return {name.decode(): picture for name, picture in found.as_numpy_iterator()}

    one, other = views(names, 1), views(names[::-1], 4)
    assert one.keys() == other.keys() == set(names)
    for name in names:
        np.testing.assert_array_equal(one[name], other[name])
