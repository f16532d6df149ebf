import math

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from components.trainer.augment import DRAWS, augment, central, draw_view
from components.trainer.settings import Augmentation
from support.films import tiny_film
from support.tiny_training import STILL

AngleShiftScale = tuple[float, float, float, float]


def bounds(**changes: float | bool | None) -> Augmentation:
    return STILL.changed(**changes)


def film(side: int = 32) -> np.ndarray:
    return cv2.resize(tiny_film(1), (side, side)).astype(np.float32)


def drawn(
    angle: float = 0.0,
    right: float = 0.0,
    down: float = 0.0,
    zoom: float = 0.0,
    contrast: float = 0.0,
    brightness: float = 0.0,
    flip: float = 0.0,
    area: float = 0.0,
    place: tuple[float, float] = (0.0, 0.0),
    aspect: float = 0.0,
    shear: float = 0.0,
    gamma: float = 0.0,
    sharpness: float = 0.0,
    noise: float = -1.0,
    seeds: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """The random numbers of one view; `place` is right and down."""
    draws = [angle, right, down, zoom, contrast, brightness, flip, area, *place]
    draws += [aspect, shear, gamma, sharpness, noise, *seeds]
    assert len(draws) == DRAWS
    return np.array(draws, np.float32)


def augmented_batch(
    pictures: np.ndarray,
    limits: Augmentation,
    draws: np.ndarray,
    size: int,
    seen: int | None = None,
    widening: float = 0.0,
) -> np.ndarray:
    batch = tf.constant(pictures, tf.float32)[..., tf.newaxis]
    wider = tf.fill([len(pictures)], widening)
    out = augment(batch, tf.constant(draws), wider, limits, seen or size, size)
    assert out.dtype == tf.float32
    assert out.shape == (len(pictures), size, size, 1)
    return out.numpy()[..., 0]


def augmented(
    picture: np.ndarray, limits: Augmentation, draws: np.ndarray, size: int | None = None
) -> np.ndarray:
    return augmented_batch(picture[np.newaxis], limits, draws[np.newaxis], size or len(picture))[0]


def random_draws(number: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1.0, 1.0, (number, DRAWS)).astype(np.float32)


@pytest.mark.parametrize("side", [32, 33])
def test_zero_bounds_leave_the_film_as_it_is(side: int) -> None:
    for draws in random_draws(5):
        np.testing.assert_allclose(augmented(film(side), bounds(), draws), film(side), atol=1e-3)


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize(("draw", "turns"), [(1.0, 1), (-1.0, -1)])
def test_a_quarter_turn(side: int, draw: float, turns: int) -> None:
    out = augmented(film(side), bounds(rotation=90.0), drawn(angle=draw))
    np.testing.assert_allclose(out, np.rot90(film(side), turns), atol=0.01)


def test_half_of_the_bound_is_half_of_the_angle() -> None:
    out = augmented(film(), bounds(rotation=180.0), drawn(angle=0.5))
    np.testing.assert_allclose(out, np.rot90(film()), atol=0.01)


def test_a_shift_by_whole_pixels() -> None:
    # Of 32 pixels, 0.25 are 8 to the right, and a half of that upwards.
    out = augmented(film(), bounds(shift=0.25), drawn(right=1.0, down=-0.5))
    expected = np.zeros((32, 32))
    expected[:-4, 8:] = film()[4:, :-8]
    np.testing.assert_allclose(out, expected, atol=0.01)


def test_zoom_out_about_the_centre() -> None:
    # Half the scale: row 16 stays, row 16 + k shows what was at 16 + 2k.
    out = augmented(film(33), bounds(zoom=0.5), drawn(zoom=-1.0))
    expected = np.zeros((33, 33))
    expected[8:25, 8:25] = film(33)[::2, ::2]
    np.testing.assert_allclose(out, expected, atol=0.01)


def test_zoom_in_about_the_centre() -> None:
    # 1.5 times the scale: row 16 + 3k shows what was at 16 + 2k.
    out = augmented(film(33), bounds(zoom=0.5), drawn(zoom=1.0))
    np.testing.assert_allclose(out[1::3, 1::3], film(33)[6:27:2, 6:27:2], atol=0.01)


def moved_by_scipy(
    picture: np.ndarray,
    degrees: float,
    right: float,
    down: float,
    scale: float,
    size: int,
    middle: tuple[float, float],
) -> np.ndarray:
    """Rotates counter-clockwise and scales about `middle` (right, down), then shifts, in pixels."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    back = np.array([[cos, sin], [-sin, cos]]) / scale  # of rows and columns
    centre = np.full(2, (size - 1) / 2)
    offset = np.array(middle[::-1]) - back @ (centre + np.array([down, right]))
    return ndimage.affine_transform(
        picture, back, offset, output_shape=(size, size), order=1, mode="grid-constant"
    )


MOVES = [(0.7, 0.0, 0.0, 0.0), (0.0, 0.3, -0.9, 0.0), (-0.4, 0.6, 0.2, 0.8), (1, -1, -1, -1)]


@pytest.mark.parametrize(("side", "size"), [(32, 32), (45, 45), (32, 27), (45, 39)])
@pytest.mark.parametrize("draw", MOVES)
def test_all_moves_together_as_scipy_makes_them(
    side: int, size: int, draw: AngleShiftScale
) -> None:
    angle, right, down, zoom = draw
    limits = bounds(rotation=30.0, shift=0.2, zoom=0.4)
    out = augmented(film(side), limits, drawn(angle, right, down, zoom), size)
    # The middle of a part of 27 pixels, cut from 32, is two pixels and 13 from the edge.
    middle = (side - size) // 2 + (size - 1) / 2
    expected = moved_by_scipy(
        film(side),
        30.0 * angle,
        0.2 * size * right,
        0.2 * size * down,
        1 + 0.4 * zoom,
        size,
        (middle, middle),
    )
    np.testing.assert_allclose(out, expected, atol=0.05)


@pytest.mark.parametrize(("side", "size"), [(32, 32), (45, 20), (31, 40)])
@pytest.mark.parametrize("draw", MOVES)
@pytest.mark.parametrize("cut", [(0.3, 0.4, -0.8), (1.0, -1.0, 1.0)])
def test_moves_of_a_cut_out_as_scipy_makes_them(
    side: int, size: int, draw: AngleShiftScale, cut: tuple[float, float, float]
) -> None:
    angle, right, down, zoom = draw
    area, *place = cut
    limits = bounds(rotation=30.0, shift=0.2, zoom=0.4, min_area=0.5)
    draws = drawn(angle, right, down, zoom, area=area, place=(place[0], place[1]))
    # Of the area, 0.75 - 0.25 * draw is left.
    window = side * math.sqrt(0.75 - 0.25 * area)
    middle = [(side - 1) / 2 + where * (side - window) / 2 for where in place]
    expected = moved_by_scipy(
        film(side),
        30.0 * angle,
        0.2 * size * right,
        0.2 * size * down,
        (1 + 0.4 * zoom) * size / window,
        size,
        (middle[0], middle[1]),
    )
    np.testing.assert_allclose(augmented(film(side), limits, draws, size), expected, atol=0.05)


@pytest.mark.parametrize(("side", "size"), [(32, 32), (32, 26), (33, 32), (33, 17), (40, 23)])
def test_the_central_part_is_the_view_that_nothing_changes(side: int, size: int) -> None:
    # Of an odd number of rows the one left over goes at the end.
    start = {0: 0, 6: 3, 1: 0, 16: 8, 17: 8}[side - size]
    expected = film(side)[start : start + size, start : start + size]
    batch = tf.constant(np.stack([film(side), film(side)[::-1]]))[..., tf.newaxis]
    middle = central(batch, size).numpy()
    assert middle.shape == (2, size, size, 1)
    np.testing.assert_array_equal(middle[0, ..., 0], expected)
    still = augment(
        batch,
        tf.zeros([2, DRAWS]),
        tf.zeros([2]),
        bounds(rotation=10, shift=0.1, zoom=0.1, brightness=0.1, contrast=0.1),
        size,
        size,
    )
    np.testing.assert_allclose(still, middle, atol=1e-3)


@pytest.mark.parametrize("size", [14, 28])
def test_what_evaluation_sees_is_shrunk_to_the_view(size: int) -> None:
    # The middle 28 of 32 pixels; between which of them a pixel of the view lies, by hand.
    (out,) = augmented_batch(film()[np.newaxis], bounds(), drawn()[np.newaxis], size, seen=28)
    middle = film()[2:30, 2:30]
    halved = (middle[::2, ::2] + middle[1::2, ::2] + middle[::2, 1::2] + middle[1::2, 1::2]) / 4
    np.testing.assert_allclose(out, {28: middle, 14: halved}[size], atol=1e-3)


CORNERS = [
    ((-1.0, -1.0), (0, 0)),
    ((1.0, -1.0), (0, 16)),
    ((-1.0, 1.0), (16, 0)),
    ((1.0, 1.0), (16, 16)),
    ((0.0, 0.0), (8, 8)),
    ((0.25, -0.5), (4, 10)),
]


@pytest.mark.parametrize(("place", "corner"), CORNERS)
def test_the_smallest_cut_out_by_hand(place: tuple[float, float], corner: tuple[int, int]) -> None:
    # A quarter of 32 x 32 is 16 x 16, which moves by up to 8 from the middle.
    top, left = corner
    out = augmented(film(), bounds(min_area=0.25), drawn(area=1.0, place=place), 16)
    np.testing.assert_allclose(out, film()[top : top + 16, left : left + 16], atol=0.01)


@pytest.mark.parametrize("place", [(-1.0, 1.0), (0.3, 0.9)])
def test_the_largest_cut_out_is_the_whole_film(place: tuple[float, float]) -> None:
    draws = drawn(area=-1.0, place=place)
    # To half its side: every pixel is the mean of four.
    out = augmented(film(), bounds(min_area=0.25), draws, 16)
    expected = film().reshape(16, 2, 16, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(out, expected, atol=0.01)
    out = augmented(film(), bounds(min_area=0.25), draws)
    np.testing.assert_allclose(out, film(), atol=0.01)


@pytest.mark.parametrize(
    ("aspect", "sides"), [(1.0, (32.0, 8.0)), (-1.0, (8.0, 32.0)), (0.5, (512**0.5, 128**0.5))]
)
@pytest.mark.parametrize("place", [(-1.0, -1.0), (1.0, 0.0)])
def test_a_cut_out_of_another_aspect_ratio_is_stretched_to_a_square(
    aspect: float, sides: tuple[float, float], place: tuple[float, float]
) -> None:
    # A quarter of 32 x 32 is 256 pixels: 32 x 8 at four to one, about 22.6 x 11.3 at two to one.
    draws = drawn(area=1.0, place=place, aspect=aspect)
    out = augmented(film(), bounds(min_area=0.25, aspect_ratio=4.0), draws, 16)
    width, height = sides
    right, down = 15.5 + place[0] * (32 - width) / 2, 15.5 + place[1] * (32 - height) / 2
    rows = down + (np.arange(16) - 7.5) * height / 16
    columns = right + (np.arange(16) - 7.5) * width / 16
    expected = ndimage.map_coordinates(
        film(), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="grid-constant"
    )
    # A projection in float32, at the very edge of the film.
    np.testing.assert_allclose(out, expected, atol=0.05)


def test_a_large_cut_out_is_only_as_oblong_as_the_picture_allows() -> None:
    # 0.64 of the area can be as wide as the film and 0.64 as high: 1.5625, not four, to one.
    draws = drawn(area=1.0, place=(0.0, -1.0), aspect=1.0)
    out = augmented(film(50), bounds(min_area=0.64, aspect_ratio=4.0), draws, 32)
    rows = np.arange(32) + 0.0  # 32 of 50 rows, from the first
    columns = (np.arange(32) + 0.5) * 50 / 32 - 0.5
    expected = ndimage.map_coordinates(
        film(50), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
    )
    np.testing.assert_allclose(out[:, 1:-1], expected[:, 1:-1], atol=0.05)


def test_half_way_between_the_areas() -> None:
    # Half way from 0.125 to 1 is 0.5625, 24 x 24 of 32 x 32, which moves by up to 4.
    out = augmented(film(), bounds(min_area=0.125), drawn(place=(-1.0, 0.5)), 24)
    np.testing.assert_allclose(out, film()[6:30, 0:24], atol=0.01)


def test_a_cut_out_of_all_of_the_area_stays_where_it_is() -> None:
    for draws in random_draws(3):
        out = augmented(film(), bounds(min_area=1.0), draws)
        np.testing.assert_allclose(out, film(), atol=0.01)


def test_flip_mirrors_left_and_right_where_the_draw_says_so() -> None:
    mirrored, as_it_is = drawn(flip=0.5), drawn(flip=-0.5)
    out = augmented(film(), bounds(flip=True), mirrored)
    np.testing.assert_allclose(out, film()[:, ::-1], atol=1e-3)
    np.testing.assert_allclose(augmented(film(), bounds(), mirrored), film(), atol=1e-3)
    np.testing.assert_allclose(augmented(film(), bounds(flip=True), as_it_is), film(), atol=1e-3)


def test_contrast_and_brightness_by_hand() -> None:
    picture = np.array([[0.0, 100.0], [180.0, 120.0]])  # mean 100
    out = augmented(picture, bounds(contrast=0.5), drawn(contrast=1.0))
    np.testing.assert_allclose(out, [[0.0, 100.0], [220.0, 130.0]], atol=1e-3)
    out = augmented(picture, bounds(contrast=0.5), drawn(contrast=-0.5))
    np.testing.assert_allclose(out, [[25.0, 100.0], [160.0, 115.0]], atol=1e-3)
    out = augmented(picture, bounds(brightness=0.2), drawn(brightness=-1.0))
    np.testing.assert_allclose(out, [[0.0, 49.0], [129.0, 69.0]], atol=1e-3)
    # Clipped once, at the end: -50 + 51 is 1, and 220 + 51 is too bright.
    both = drawn(contrast=1.0, brightness=1.0)
    out = augmented(picture, bounds(contrast=0.5, brightness=0.2), both)
    np.testing.assert_allclose(out, [[1.0, 151.0], [255.0, 181.0]], atol=1e-3)


@pytest.mark.parametrize("draw", [1.0, -0.5])
def test_shear_moves_rows_aside(draw: float) -> None:
    # Of 45 degrees a row shows what lies a pixel further to the right than the row above does.
    degrees = 45.0
    out = augmented(film(33), bounds(shear=degrees), drawn(shear=draw))
    by = math.tan(draw * math.radians(degrees))
    for row in range(33):
        columns = np.arange(33) + by * (row - 16)
        expected = ndimage.map_coordinates(
            film(33), [np.full(33, row), columns], order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(out[row], expected, atol=0.05)


@pytest.mark.parametrize("widening", [math.log(1.25), -math.log(1.25)])
@pytest.mark.parametrize(
    ("area", "share", "drawn_ratio"),
    [
        # Of the picture's own width or height: four fifths of its area, and no room for a draw.
        (-1.0, 0.8, 1.0),
        # Half way to 0.32 is 0.56, in which 1 / 0.56 / 1.25 to one is left to the draw.
        (0.0, 0.56, 1.0 / 0.56 / 1.25),
        (1.0, 0.32, 1.5),
    ],
)
@pytest.mark.parametrize("draw", [1.0, -1.0])
def test_shapes_are_evened_by_the_same_in_every_cut_out(
    widening: float, area: float, share: float, drawn_ratio: float, draw: float
) -> None:
    limits = bounds(min_area=0.32, aspect_ratio=1.5, even_shapes=True)
    draws = drawn(area=area, aspect=draw, place=(0.5, -0.5))[np.newaxis]
    out = augmented_batch(film()[np.newaxis], limits, draws, 16, widening=widening)
    ratio = drawn_ratio**draw * math.exp(widening)
    width, height = 32 * math.sqrt(share * ratio), 32 * math.sqrt(share / ratio)
    assert max(width, height) <= 32 + 1e-5
    rows = 15.5 - 0.5 * (32 - height) / 2 + (np.arange(16) - 7.5) * height / 16
    columns = 15.5 + 0.5 * (32 - width) / 2 + (np.arange(16) - 7.5) * width / 16
    expected = ndimage.map_coordinates(
        film(), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(out[0], expected, atol=0.05)
    # Switched off, it is not looked at.
    off = limits.changed(even_shapes=False)
    plain = augmented(film(), off, draws[0], 16)
    np.testing.assert_array_equal(
        augmented_batch(film()[np.newaxis], off, draws, 16, widening=widening)[0], plain
    )


def test_a_class_far_wider_than_the_other_is_cut_as_narrow_as_the_picture_allows() -> None:
    # Wider by four, where half of the area can be twice as wide: a quarter of it then.
    limits = bounds(min_area=0.5, aspect_ratio=1.5, even_shapes=True)
    for area in (-1.0, 1.0):
        draws = drawn(area=area, aspect=1.0)[np.newaxis]
        out = augmented_batch(film()[np.newaxis], limits, draws, 32, widening=math.log(4.0))
        columns = np.arange(32) + 0.0
        rows = 15.5 + (np.arange(32) - 15.5) / 4
        expected = ndimage.map_coordinates(
            film(), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="grid-constant"
        )
        # Of the film's rows 12 to 19 are cut out, a quarter, and nothing is shown of the rest.
        inside = abs(rows - 15.5) <= 31 / 8
        np.testing.assert_allclose(out[0][inside], expected[inside], atol=0.05)
        assert not out[0][~inside].any()


@pytest.mark.parametrize("size", [32, 64])
def test_what_is_beyond_a_film_tells_no_class(size: int) -> None:
    # A film of one grey: what is seen of it is where it ends, turned and sheared and from afar.
    limits = bounds(
        min_area=0.3, aspect_ratio=1.5, even_shapes=True, zoom=0.5, rotation=30.0, shear=20.0
    )
    draws, grey = random_draws(200), np.full((200, 64, 64), 90.0)
    wide, narrow = (
        np.rint(augmented_batch(grey, limits, draws, size, widening=widening))
        for widening in (math.log(1.25), -math.log(1.25))
    )
    assert set(np.unique(wide)) == {0.0, 90.0}
    assert 0.01 < (wide == 0.0).mean() < 0.5
    # But for a part of a pixel at the edge.
    assert (wide != narrow).mean() < 2e-3


def test_a_graph_makes_the_same_views() -> None:
    limits = bounds(
        min_area=0.3, aspect_ratio=1.5, even_shapes=True, zoom=0.5, rotation=30.0, shear=20.0
    )
    pictures = np.stack([film(32)] * 8)[..., np.newaxis].astype(np.float32)
    draws, wider = random_draws(8), np.array([0.1, -0.1] * 4, np.float32)

    def view(films: tf.Tensor, numbers: tf.Tensor, widening: tf.Tensor) -> tf.Tensor:
        return augment(films, numbers, widening, limits, 32, 16)

    batches = tf.data.Dataset.from_tensor_slices((pictures, draws, wider)).batch(8).map(view)
    (found,) = batches.as_numpy_iterator()
    eager = view(tf.constant(pictures), tf.constant(draws), tf.constant(wider))
    np.testing.assert_allclose(found, eager.numpy(), atol=1e-2)


def test_shapes_are_evened_of_cut_outs_alone() -> None:
    with pytest.raises(ValueError, match="min_area is null"):
        bounds(even_shapes=True)


def test_a_turned_cut_out_of_another_aspect_ratio_is_turned_as_it_is_shown() -> None:
    # Cut out, stretched to a square, then turned by a quarter.
    draws = drawn(angle=1.0, area=1.0, aspect=1.0)
    limits = bounds(rotation=90.0, min_area=0.25, aspect_ratio=4.0)
    straight = augmented(film(), limits, drawn(area=1.0, aspect=1.0), 16)
    np.testing.assert_allclose(augmented(film(), limits, draws, 16), np.rot90(straight), atol=0.05)


@pytest.mark.parametrize(("draw", "exponent"), [(1.0, 2.0), (-1.0, 0.5), (0.0, 1.0)])
def test_gamma_by_hand(draw: float, exponent: float) -> None:
    picture = np.array([[0.0, 64.0], [128.0, 255.0]])
    out = augmented(picture, bounds(gamma=1.0), drawn(gamma=draw))
    np.testing.assert_allclose(out, 255 * (picture / 255) ** exponent, atol=1e-2)


@pytest.mark.parametrize("draw", [1.0, -1.0, 0.4])
def test_sharpness_adds_or_takes_what_blurring_takes(draw: float) -> None:
    picture = np.clip(film(), 60, 180)
    # A kernel of seven pixels: three on each side.
    blurred = ndimage.gaussian_filter(picture, 1.5, mode="reflect", radius=3)
    out = augmented(picture, bounds(sharpness=1.0), drawn(sharpness=draw))
    np.testing.assert_allclose(out, picture + draw * (picture - blurred), atol=0.01)


def test_noise_is_of_its_level_and_of_its_draws() -> None:
    grey = np.full((128, 128), 128.0)
    limits = bounds(noise=0.1)

    def noise(level: float, seeds: tuple[float, float]) -> np.ndarray:
        return augmented(grey, limits, drawn(noise=level, seeds=seeds)) - grey

    first = noise(1.0, (0.3, -0.7))
    assert first.mean() == pytest.approx(0.0, abs=1.0)
    assert first.std() == pytest.approx(25.5, rel=0.03)
    # Half way from none to all.
    np.testing.assert_allclose(noise(0.0, (0.3, -0.7)), first / 2, atol=0.01)
    assert not noise(-1.0, (0.3, -0.7)).any()
    assert abs(np.corrcoef(first.ravel(), noise(1.0, (0.3, -0.6)).ravel())[0, 1]) < 0.05


WILD = bounds(
    rotation=180.0,
    shift=0.5,
    zoom=0.9,
    brightness=1.0,
    contrast=1.0,
    flip=True,
    min_area=0.1,
    aspect_ratio=4.0,
    shear=30.0,
    gamma=2.0,
    sharpness=3.0,
    noise=0.5,
)


def test_values_stay_in_the_grey_range() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 32))
    views = augmented_batch(noise, WILD, random_draws(40), 32)
    assert np.isfinite(views).all()
    assert views.min() == 0.0
    assert views.max() == 255.0


@pytest.mark.parametrize("min_area", [None, 0.2])
def test_the_films_of_a_batch_do_not_meet(min_area: float | None) -> None:
    limits = bounds(
        rotation=60.0,
        shift=0.2,
        zoom=0.3,
        brightness=0.3,
        contrast=0.4,
        flip=True,
        min_area=min_area,
        aspect_ratio=2.0,
        shear=9,
        gamma=0.5,
        sharpness=1,
        noise=0.1,
    )
    pictures = np.stack([film(), film()[::-1], film().T, np.full((32, 32), 255.0)])
    draws = random_draws(4)
    together = augmented_batch(pictures, limits, draws, 24)
    assert len({view.tobytes() for view in together}) == 4
    for picture, draw, view in zip(pictures, draws, together, strict=True):
        np.testing.assert_allclose(augmented(picture, limits, draw, 24), view, atol=1e-3)


def draws_of(name: str, view: int, seed: int) -> np.ndarray:
    draws = draw_view(tf.constant(name), view, seed)
    assert draws.dtype == tf.float32
    assert draws.shape == (DRAWS,)
    return draws.numpy()


def test_draws_are_spread_evenly_between_minus_one_and_one() -> None:
    draws = np.stack([draws_of(f"train/NORMAL/{number}.jpeg", 0, 1) for number in range(400)])
    for column in np.sort(draws, axis=0).T:
        assert -1.0 <= column[0] < -0.95
        assert 0.95 < column[-1] < 1.0
        # The distance to the even distribution that Kolmogorov and Smirnov allow at 0.1 %.
        assert np.abs(column - np.linspace(-1, 1, 400)).max() / 2 < 1.95 / math.sqrt(400)
    # None follows from another: of 136 correlations of 400 pairs, four standard errors.
    correlations = np.corrcoef(draws.T)[np.triu_indices(DRAWS, 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(400)


def test_draws_follow_from_name_number_and_seed() -> None:
    first = draws_of("train/NORMAL/IM-1.jpeg", 0, 1)
    np.testing.assert_array_equal(first, draws_of("train/NORMAL/IM-1.jpeg", 0, 1))
    for other in (
        draws_of("train/NORMAL/IM-2.jpeg", 0, 1),
        draws_of("train/NORMAL/IM-1.jpeg", 1, 1),
        draws_of("train/NORMAL/IM-1.jpeg", 0, 2),
    ):
        assert np.abs(first - other).min() > 1e-5


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_draws_of_films_and_views_do_not_meet(seed: int) -> None:
    found = {
        draws_of(f"train/NORMAL/{number}.jpeg", view, seed).tobytes()
        for number in range(60)
        for view in range(12)
    }
    assert len(found) == 720


def test_order_and_threads_do_not_matter() -> None:
    names = [f"{number}.jpeg" for number in range(12)]

    def draws(order: list[str], threads: int) -> dict[str, np.ndarray]:
        found = tf.data.Dataset.from_tensor_slices(order).map(
            lambda name: (name, draw_view(name, 3, 1)),
            num_parallel_calls=threads,
            deterministic=False,
        )
        return {name.decode(): draw for name, draw in found.as_numpy_iterator()}

    one, other = draws(names, 1), draws(names[::-1], 4)
    assert one.keys() == other.keys() == set(names)
    for name in names:
        np.testing.assert_array_equal(one[name], other[name])
        np.testing.assert_array_equal(one[name], draws_of(name, 3, 1))
