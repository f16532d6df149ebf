"""Random small changes of films, a function of the film and a seed and of nothing else."""

import math

import tensorflow as tf

from components.trainer.settings import Augmentation

# Random numbers of one view: angle, shift right and down, zoom, contrast, brightness, flip, area,
# and where in the picture, right and down.
DRAWS = 10


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
    pictures: tf.Tensor, draws: tf.Tensor, bounds: Augmentation, seen: int, size: int
) -> tf.Tensor:
    """Returns one rotated, shifted, zoomed, cut out, brightened view of each film.

    Args:
        pictures: float32 [N, P, P, 1], 0 to 255.
        draws: float32 [N, DRAWS], -1 to 1, see `draw_view`.
        bounds: how far each change may go.
        seen: side, in pixels, of the middle that evaluation sees.
        size: side of the views in pixels.

    Returns:
        float32 [N, size, size, 1], 0 to 255; what comes in from outside the film is black.
    """
    side = float(pictures.shape[1])
    window, middle = _window(draws, bounds, side, float(seen))
    views = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=_projection(
            angle=draws[:, 0] * math.radians(bounds.rotation),
            shift=draws[:, 1:3] * bounds.shift * float(size),
            step=window / float(size) / (1.0 + draws[:, 3] * bounds.zoom),
            middle=middle,
            centre=(size - 1.0) / 2.0,
        ),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    if bounds.flip:
        mirrored = draws[:, 6, tf.newaxis, tf.newaxis, tf.newaxis] > 0.0
        views = tf.where(mirrored, views[:, :, ::-1], views)
    mean = tf.reduce_mean(views, axis=(1, 2, 3), keepdims=True)
    contrast = draws[:, 4, tf.newaxis, tf.newaxis, tf.newaxis] * bounds.contrast
    brightness = draws[:, 5, tf.newaxis, tf.newaxis, tf.newaxis] * bounds.brightness * 255.0
    # (view - mean) * (1 + contrast) + mean + brightness, in one pass over the pixels
    return tf.clip_by_value(views * (1.0 + contrast) + (brightness - mean * contrast), 0.0, 255.0)


def _window(
    draws: tf.Tensor, bounds: Augmentation, side: float, seen: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns side [N] and centre (right, down) [N, 2] of the squares to cut out, in pixels."""
    if bounds.min_area is None:
        still = tf.zeros_like(draws[:, 0])
        # As `central` cuts it.
        middle = (side - seen) // 2 + (seen - 1.0) / 2.0
        return still + seen, tf.stack([still, still], axis=1) + middle
    area = 1.0 - (1.0 - bounds.min_area) * (draws[:, 7] + 1.0) / 2.0
    window = side * tf.sqrt(area)
    room = (side - window) / 2.0
    return window, (side - 1.0) / 2.0 + draws[:, 8:10] * room[:, tf.newaxis]


def _projection(
    angle: tf.Tensor, shift: tf.Tensor, step: tf.Tensor, middle: tf.Tensor, centre: float
) -> tf.Tensor:
    """Returns the maps from output to input coordinates, float32 [N, 8].

    Args:
        angle: [N], radians.
        shift: [N, 2], right and down, in output pixels.
        step: [N], input pixels for one output pixel.
        middle: [N, 2], the input point that the output's centre shows, unless shifted.
        centre: coordinate of the output's centre, in both directions.
    """
    cos, sin = tf.cos(angle) * step, tf.sin(angle) * step
    right, down = centre + shift[:, 0], centre + shift[:, 1]
    offset_x = middle[:, 0] - cos * right + sin * down
    offset_y = middle[:, 1] - sin * right - cos * down
    zero = tf.zeros_like(cos)
    return tf.stack([cos, -sin, offset_x, sin, cos, offset_y, zero, zero], axis=1)
