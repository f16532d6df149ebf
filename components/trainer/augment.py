"""Random small changes of films, a function of the film and a seed and of nothing else."""

import math

import cv2
import numpy as np
import tensorflow as tf

from components.trainer.settings import Augmentation

# Random numbers of one view: angle, shift right and down, zoom, contrast, brightness, flip, area,
# where in the picture, right and down, aspect ratio, shear, gamma, sharpness, noise, and what the
# noise follows from.
DRAWS = 17
# Pixels; of coordinates in float32.
_ROUNDING = 1e-3
# Of the pixels of a view.
_BLUR = np.outer(cv2.getGaussianKernel(7, 1.5), cv2.getGaussianKernel(7, 1.5)).astype(np.float32)


def draw_view(file_name: tf.Tensor, view: int, seed: int) -> tf.Tensor:
    """Returns the random numbers of one view of one film, float32 [DRAWS], -1 to 1.

    They depend on neither the order of the films nor the number of threads.

    Args:
        file_name: string scalar.
        view: which of the film's views.
        seed: of the run.
    """
    name = tf.strings.join([file_name, f"/{view}"])
    bucket = tf.strings.to_hash_bucket_fast(name, 2**31 - 1)
    film_seed = tf.stack([tf.cast(bucket, tf.int32), tf.constant(seed % 2**31, tf.int32)])
    return tf.random.stateless_uniform([DRAWS], film_seed, -1.0, 1.0)


def central(pictures: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the middle [N, size, size, 1] of pictures [N, P, P, 1]."""
    start = (pictures.shape[1] - size) // 2
    return pictures[:, start : start + size, start : start + size]


def augment(
    pictures: tf.Tensor,
    draws: tf.Tensor,
    widening: tf.Tensor,
    bounds: Augmentation,
    seen: int,
    size: int,
) -> tf.Tensor:
    """Returns one view of each film: cut out, turned, sheared, mirrored, and lit otherwise.

    Args:
        pictures: float32 [N, P, P, 1], 0 to 255.
        draws: float32 [N, DRAWS], -1 to 1, see `draw_view`.
        widening: float32 [N], added to the log of the aspect ratio of what is cut out; see
            `shapes.evening`.
        bounds: how far each change may go.
        seen: side, in pixels, of the middle that evaluation sees.
        size: side of the views in pixels.

    Returns:
        float32 [N, size, size, 1], 0 to 255; what comes in from outside the film is black.
    """
    views = _placed(pictures, draws, widening, bounds, float(seen), size)
    if bounds.flip:
        mirrored = _each(draws[:, 6]) > 0.0
        views = tf.where(mirrored, views[:, :, ::-1], views)
    if bounds.gamma:
        exponents = tf.exp(_each(draws[:, 12]) * math.log(1.0 + bounds.gamma))
        views = 255.0 * tf.pow(tf.maximum(views, 0.0) / 255.0, exponents)
    if bounds.sharpness:
        views += _each(draws[:, 13]) * bounds.sharpness * (views - _blurred(views))
    if bounds.noise:
        deviations = (_each(draws[:, 14]) + 1.0) / 2.0 * bounds.noise * 255.0
        views += deviations * _noise(draws[:, 15:17], size)
    mean = tf.reduce_mean(views, axis=(1, 2, 3), keepdims=True)
    contrast = _each(draws[:, 4]) * bounds.contrast
    brightness = _each(draws[:, 5]) * bounds.brightness * 255.0
    # (view - mean) * (1 + contrast) + mean + brightness, in one pass over the pixels
    return tf.clip_by_value(views * (1.0 + contrast) + (brightness - mean * contrast), 0.0, 255.0)


def _each(values: tf.Tensor) -> tf.Tensor:
    """Returns a number for each film, [N], in the shape [N, 1, 1, 1]."""
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _blurred(views: tf.Tensor) -> tf.Tensor:
    """Returns views [N, S, S, 1] blurred by a Gaussian, mirrored at their edges."""
    reach = _BLUR.shape[0] // 2
    padded = tf.pad(views, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "SYMMETRIC")
    return tf.nn.conv2d(padded, _BLUR[:, :, np.newaxis, np.newaxis], 1, "VALID")


def _noise(draws: tf.Tensor, size: int) -> tf.Tensor:
    """Returns standard normal noise [N, size, size, 1], of two draws [N, 2] for each film."""
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal([size, size, 1], seed),
        tf.bitcast(draws, tf.int32),
        fn_output_signature=tf.float32,
    )


def _placed(
    pictures: tf.Tensor,
    draws: tf.Tensor,
    widening: tf.Tensor,
    bounds: Augmentation,
    seen: float,
    size: int,
) -> tf.Tensor:
    """Returns parts of pictures [N, P, P, 1], turned and sheared, as views [N, size, size, 1]."""
    side = float(pictures.shape[1])
    if not bounds.even_shapes:
        widening = tf.zeros_like(widening)
    sides, middle = _window(draws, widening, bounds, side, seen)
    maps = _projection(
        angle=draws[:, 0] * math.radians(bounds.rotation),
        shear=tf.tan(draws[:, 11] * math.radians(bounds.shear)),
        shift=draws[:, 1:3] * bounds.shift * float(size),
        step=sides / float(size) / (1.0 + draws[:, 3:4] * bounds.zoom),
        middle=middle,
        centre=(size - 1.0) / 2.0,
    )
    views = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=maps,
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    if bounds.even_shapes:
        views *= _inside(maps, *_frame(draws, widening, side), size)
    return views


def _window(
    draws: tf.Tensor, widening: tf.Tensor, bounds: Augmentation, side: float, seen: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns sides and centre, (right, down), [N, 2] both, of what is cut out, in pixels."""
    still = tf.zeros_like(draws[:, 0:2])
    if bounds.min_area is None:
        # As `central` cuts it.
        return still + seen, still + ((side - seen) // 2 + (seen - 1.0) / 2.0)
    # So much room is left for the widening in every cut-out, to both sides, that it is never less
    # in one than in another, and the areas of all classes are alike.
    largest = tf.exp(-tf.abs(widening))
    smallest = tf.minimum(bounds.min_area, largest)
    area = largest - (largest - smallest) * (draws[:, 7] + 1.0) / 2.0
    room = -tf.math.log(area) - tf.abs(widening)
    ratio = tf.exp(draws[:, 10] * tf.minimum(math.log(bounds.aspect_ratio), room) + widening)
    sides = side * tf.sqrt(tf.stack([area * ratio, area / ratio], axis=1))
    return sides, (side - 1.0) / 2.0 + draws[:, 8:10] * (side - sides) / 2.0


def _frame(draws: tf.Tensor, widening: tf.Tensor, side: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns sides and centre of the largest cut-out, [N, 2] both, which holds the view's own.

    What lies beyond it is to count as outside the film: how far a film goes on beyond a cut-out, to
    the sides or up and down, would tell its class.
    """
    least = tf.minimum(widening, 0.0), tf.minimum(-widening, 0.0)
    # From the middle of the first pixel to that of the last; beyond these a film fades.
    span = side - 1.0
    sides = span * tf.exp(tf.stack(least, axis=1))
    return sides, span / 2.0 + draws[:, 8:10] * (span - sides) / 2.0


def _inside(maps: tf.Tensor, sides: tf.Tensor, middle: tf.Tensor, size: int) -> tf.Tensor:
    """Returns 1 where a view shows what is inside of a frame, 0 elsewhere, [N, size, size, 1].

    Args:
        maps: [N, 8], see `_projection`.
        sides: [N, 2] of the frame, (right, down), in input pixels.
        middle: [N, 2], its centre.
        size: of the views.
    """
    place = tf.range(float(size))
    right, down = place[tf.newaxis, tf.newaxis], place[tf.newaxis, :, tf.newaxis]
    of_maps, of_sides, of_middle = _columns(maps), _columns(sides), _columns(middle)
    inside = tf.constant(True)
    for way in (0, 1):
        by_right, by_down, start = of_maps[3 * way : 3 * way + 3]
        apart = by_right * right + by_down * down + start - of_middle[way]
        inside &= tf.abs(apart) <= of_sides[way] / 2.0 + _ROUNDING
    return tf.cast(inside, tf.float32)[..., tf.newaxis]


def _columns(values: tf.Tensor) -> list[tf.Tensor]:
    """Returns the columns of [N, K], in the shape [N, 1, 1] each.

    Not by slices with new axes, which TensorFlow drops from a slice of stacked columns in a graph.
    """
    return [tf.reshape(column, [-1, 1, 1]) for column in tf.unstack(values, axis=1)]


def _projection(
    angle: tf.Tensor,
    shear: tf.Tensor,
    shift: tf.Tensor,
    step: tf.Tensor,
    middle: tf.Tensor,
    centre: float,
) -> tf.Tensor:
    """Returns the maps from output to input coordinates, float32 [N, 8].

    A view is turned in pixels of the output, then stretched to the input's.

    Args:
        angle: [N], radians.
        shear: [N], by how many pixels to the right a row shows more than the one above it.
        shift: [N, 2], right and down, in output pixels.
        step: [N, 2], input pixels for one output pixel, right and down.
        middle: [N, 2], the input point that the output's centre shows, unless shifted.
        centre: coordinate of the output's centre, in both directions.
    """
    cos, sin = tf.cos(angle), tf.sin(angle)
    right = tf.stack([cos, shear * cos - sin], axis=1) * step[:, :1]
    down = tf.stack([sin, shear * sin + cos], axis=1) * step[:, 1:]
    still = centre + shift
    zero = tf.zeros_like(angle)
    return tf.stack(
        [
            *tf.unstack(right, axis=1),
            middle[:, 0] - tf.reduce_sum(right * still, axis=1),
            *tf.unstack(down, axis=1),
            middle[:, 1] - tf.reduce_sum(down * still, axis=1),
            zero,
            zero,
        ],
        axis=1,
    )
