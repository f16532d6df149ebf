from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage

from components.evaluator import changes
from components.evaluator.changes import CHANGES, Change
from support.films import tiny_film

FILM = tiny_film(1, height=60, width=80)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_gives_another_grey_film_and_leaves_its_own_alone(change: Change) -> None:
    film = tiny_film(2, height=224, width=280)
    # A letter in the corner, for the change that takes letters away.
    film[5:15, 5:12] = 255
    before = film.copy()
    changed = change.apply(film)
    assert changed.dtype == np.uint8
    assert changed.ndim == 2
    np.testing.assert_array_equal(film, before)
    assert changed.shape != film.shape or (changed != film).any()
    # A film is read again for each change: the second time must give the same.
    np.testing.assert_array_equal(change.apply(film), changed)


def test_no_two_changes_have_one_name() -> None:
    assert Counter(change.of("test") for change in CHANGES).most_common(1)[0][1] == 1
    assert "test, height stretched 15 %" in {change.of("test") for change in CHANGES}


def named(kind: str) -> dict[str, Change]:
    """The changes of a kind by their strengths."""
    return {change.strength: change for change in CHANGES if change.kind == kind}


def test_changes_are_as_strong_as_their_names_say() -> None:
    film = np.clip(np.random.default_rng(1).normal(120, 5, (200, 300)), 90, 150).astype(np.uint8)
    height, width = film.shape
    for strength, change in named("height stretched").items():
        by = 1 + float(strength.removesuffix(" %")) / 100
        assert change.apply(film).shape == (round(by * height), width)
    for strength, change in named("width stretched").items():
        by = 1 + float(strength.removesuffix(" %")) / 100
        assert change.apply(film).shape == (height, round(by * width))
    for strength, change in named("zoom").items():
        assert change.apply(film).shape == tuple(
            round(side / float(strength)) for side in film.shape
        )
    for strength, change in named("contrast").items():
        assert change.apply(film).std() == pytest.approx(float(strength) * film.std(), rel=0.02)
    for strength, change in named("brightness").items():
        share = float(strength.removesuffix(" %")) / 100
        moved = change.apply(film).astype(float) - film
        np.testing.assert_allclose(moved, 255 * share, atol=1)
    for strength, change in named("noise").items():
        noise = change.apply(film) - film.astype(float)
        assert noise.std() == pytest.approx(2.55 * float(strength.removesuffix(" %")), rel=0.03)
    for strength, change in named("gamma").items():
        expected = 255 * (film / 255) ** float(strength)
        np.testing.assert_allclose(change.apply(film), expected, atol=0.51)
    for colour in ("black", "white"):
        for strength, change in named(f"{colour} border").items():
            edge = change.apply(film)[height // 2] == (0 if colour == "black" else 255)
            assert edge.sum() == 2 * round(float(strength.removesuffix(" %")) / 100 * width)


def test_a_stretch_is_of_one_side() -> None:
    assert changes.stretched(FILM, height=1.15, width=1.0).shape == (69, 80)
    assert changes.stretched(FILM, height=1.0, width=1.3).shape == (60, 104)
    # Each row of a film that is the same from left to right stays what it was.
    rows = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[:, np.newaxis], 80, axis=1)
    np.testing.assert_array_equal(
        changes.stretched(rows, height=1.0, width=1.3), np.repeat(rows[:, :1], 104, axis=1)
    )
    # In height, a pixel of the middle lies where it lay, as a share: 30 of 60 is 39 of 78.
    assert changes.stretched(rows, height=1.3, width=1.0)[39, 0] == pytest.approx(120, abs=2)


def test_zoom_keeps_the_middle() -> None:
    # 60 / 1.25 is 48 rows, 6 off at each end; 80 / 1.25 is 64 columns, 8 off at each.
    np.testing.assert_array_equal(changes.zoomed(FILM, 1.25), FILM[6:54, 8:72])


def test_a_shift_is_of_whole_pixels_and_black_comes_in() -> None:
    moved = changes.moved(FILM, right=0.1, down=-0.2)
    expected = np.zeros_like(FILM)
    expected[:48, 8:] = FILM[12:, :72]
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("degrees", [-10.0, 10.0, 90.0])
def test_a_turn_is_counter_clockwise_about_the_middle(degrees: float) -> None:
    turned = changes.moved(FILM, 0.0, 0.0, degrees)
    expected = ndimage.rotate(FILM.astype(float), degrees, reshape=False, order=1)
    # OpenCV places pixels to a thirty-second.
    difference = np.abs(turned - expected)[5:-5, 15:-15]
    assert difference.mean() < 1.0


def test_grey_levels_by_hand() -> None:
    film = np.array([[0, 64, 128, 255]], np.uint8)
    # 255 * (64 / 255) ** 2 = 16.06; 255 * (128 / 255) ** 2 = 64.25
    np.testing.assert_array_equal(changes.gamma(film, 2.0), [[0, 16, 64, 255]])
    # The mean is 111.75: 111.75 + (0 - 111.75) / 2 = 55.875, 87.875, 119.875, 183.375
    np.testing.assert_array_equal(changes.contrast(film, 0.5), [[56, 88, 120, 183]])
    np.testing.assert_array_equal(changes.brightness(film, 0.2), [[51, 115, 179, 255]])
    np.testing.assert_array_equal(changes.brightness(film, -0.4), [[0, 0, 26, 153]])


@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_contrast_is_as_pillow_has_it(factor: float) -> None:
    expected = ImageEnhance.Contrast(Image.fromarray(FILM)).enhance(factor)
    # Pillow takes a mean that is rounded.
    np.testing.assert_allclose(changes.contrast(FILM, factor).astype(int), expected, atol=1)


def test_blur_is_of_the_films_own_scale() -> None:
    # The standard deviation is one 224th of the shorter side.
    for height in (224, 448):
        film = tiny_film(3, height=height, width=500)
        expected = ndimage.gaussian_filter(
            film.astype(float), height / 224, mode="nearest", truncate=4.0
        )
        np.testing.assert_allclose(changes.blurred(film, 1.0), expected, atol=1.5)


def test_sharpening_adds_what_blurring_takes() -> None:
    film = np.clip(FILM, 60, 180)
    lost = film - changes.blurred(film, 1.0).astype(float)
    np.testing.assert_allclose(changes.sharpened(film, 1.0), film + lost, atol=0.5)
    np.testing.assert_array_equal(changes.sharpened(FILM, 0.0), FILM)


def test_recompression_is_jpeg_of_that_quality() -> None:
    _, data = cv2.imencode(".jpg", FILM, [cv2.IMWRITE_JPEG_QUALITY, 15])
    expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(changes.recompressed(FILM, 15), expected)
    # The lower the quality, the further from the film.
    far, near = (
        np.abs(changes.recompressed(FILM, quality) - FILM.astype(int)).mean()
        for quality in (15, 90)
    )
    assert far > 2 * near


def test_noise_has_its_deviation_and_belongs_to_the_film() -> None:
    film = np.full((200, 200), 128, np.uint8)
    noise = changes.noisy(film, 0.05) - film.astype(float)
    assert noise.mean() == pytest.approx(0.0, abs=0.3)
    assert noise.std() == pytest.approx(0.05 * 255, rel=0.02)
    other = changes.noisy(film + 1, 0.05) - film.astype(float)
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.05


def test_half_the_resolution_is_the_mean_of_four_pixels() -> None:
    coarse = changes.coarsened(FILM, 2)
    assert coarse.shape == FILM.shape
    means = FILM.reshape(30, 2, 40, 2).mean(axis=(1, 3))
    # Four pixels of the enlarged film lie around each of the shrunk one.
    again = coarse.reshape(30, 2, 40, 2).mean(axis=(1, 3))
    assert np.corrcoef(means.ravel(), again.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("level", [0, 255])
def test_a_border_is_a_share_of_each_side(level: int) -> None:
    framed = changes.bordered(FILM, 0.1, level)
    assert framed.shape == (72, 96)
    np.testing.assert_array_equal(framed[6:-6, 8:-8], FILM)
    framed[6:-6, 8:-8] = level
    assert (framed == level).all()


def test_marks_at_the_edge_go_and_what_is_in_the_middle_stays() -> None:
    film = np.full((100, 100), 60, np.uint8)
    film[5:10, 5:9] = 250  # a letter
    film[50:55, 50:54] = 250  # something in the lungs
    film[0:100, 90:100] = 250  # a border
    film[95, 5] = 255  # a speck
    cleared = changes.unmarked(film)
    np.testing.assert_allclose(cleared[:15, :15], 60, atol=2)
    np.testing.assert_array_equal(cleared[15:], film[15:])
    np.testing.assert_array_equal(cleared[:, 20:], film[:, 20:])


def test_a_film_without_marks_is_left_as_it_is() -> None:
    np.testing.assert_array_equal(changes.unmarked(FILM), FILM)


def test_the_mirror_image() -> None:
    np.testing.assert_array_equal(changes.mirrored(FILM), np.fliplr(FILM))
