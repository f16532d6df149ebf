"""Random small changes of a film, a function of the film and a seed and of nothing else."""

import math

import tensorflow as tf

from components.trainer.settings import Augmentation


def film_seed(file_name: tf.Tensor, view: int, seed: int) -> tf.Tensor:
    """Returns the seed of one view of one film, int32 [2].

    It depends on neither the order of the films nor the number of threads.

    Args:
        file_name: string scalar.
        view: which of the film's views.
        seed: of the run.
    """
    name = tf.strings.join([file_name, f"/{view}"])
    bucket = tf.strings.to_hash_bucket_fast(name, 2**31 - 1)
    return tf.stack([tf.cast(bucket, tf.int32), tf.constant(seed % 2**31, tf.int32)])


def augment(image: tf.Tensor, seed: tf.Tensor, bounds: Augmentation) -> tf.Tensor:
    """Returns a rotated, shifted, zoomed, brightened view of a film.

    Args:
        image: float32 [S, S, 1], 0 to 255.
        seed: int32 [2], see `film_seed`.
        bounds: how far each change may go.

    Returns:
        float32 [S, S, 1], 0 to 255; what comes in from outside the film is black.
    """
    draw = tf.random.stateless_uniform([7], seed, -1.0, 1.0)
    side = tf.cast(tf.shape(image)[0], tf.float32)
    transform = _projection(
        angle=draw[0] * math.radians(bounds.rotation),
        shift=draw[1:3] * bounds.shift * side,
        scale=1.0 + draw[3] * bounds.zoom,
        centre=(side - 1.0) / 2.0,
    )
    image = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=transform[tf.newaxis],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    if bounds.flip:
        image = tf.where(draw[6] > 0.0, image[:, ::-1], image)
    mean = tf.reduce_mean(image)
    image = (image - mean) * (1.0 + draw[4] * bounds.contrast) + mean
    return tf.clip_by_value(image + draw[5] * bounds.brightness * 255.0, 0.0, 255.0)


def _projection(
    angle: tf.Tensor, shift: tf.Tensor, scale: tf.Tensor, centre: tf.Tensor
) -> tf.Tensor:
    """Returns the map from output to input coordinates, float32 [8], about the centre."""
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    offset_x = centre - cos * (centre + shift[0]) + sin * (centre + shift[1])
    offset_y = centre - sin * (centre + shift[0]) - cos * (centre + shift[1])
    zero = tf.zeros_like(cos)
    return tf.stack([cos, -sin, offset_x, sin, cos, offset_y, zero, zero])
