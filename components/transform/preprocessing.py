"""File bytes in, bytes of a small square grey PNG out, as a TensorFlow graph."""

from typing import Any

import tensorflow as tf

from components.shared.features import HEIGHT, IMAGE, SQUASHED, WIDTH
from components.shared.record import CARRIED

# Two films are decoded at a time, whatever the batch: TFX grows batches to hundreds, and one of 50
# million pixels takes 0.6 GB as float32 RGB.
_FILMS_AT_ONCE = 2
# Weights of red, green and blue in the grey level (ITU-R BT.601, as OpenCV has them).
_GREY_WEIGHTS = (0.299, 0.587, 0.114)


def to_square(image: tf.Tensor, size: int, square: str) -> tf.Tensor:
    """Fits a picture into a square and resizes it.

    Args:
        image: uint8 or float [H, W, 1].
        size: side of the square, in pixels.
        square: `pad` sets the whole picture on black and `crop` keeps its middle, the aspect ratio
            kept; `squash` makes the whole picture a square.

    Returns:
        float32 [size, size, 1], antialiased.
    """
    if square == "squash":
        return tf.image.resize(image, (size, size), antialias=True)
    shape = tf.shape(image)[:2]
    height, width = shape[0], shape[1]
    if square == "crop":
        side = tf.minimum(height, width)
        image = tf.image.crop_to_bounding_box(
            image, (height - side) // 2, (width - side) // 2, side, side
        )
        return tf.image.resize(image, (size, size), antialias=True)
    side = tf.maximum(height, width)
    fitted = tf.maximum(1, tf.cast(tf.round(size * shape / side), tf.int32))
    image = tf.image.resize(image, fitted, antialias=True)
    image.set_shape([None, None, 1])
    return tf.image.resize_with_crop_or_pad(image, size, size)


def preprocess_film(data: tf.Tensor, size: int, square: str) -> tf.Tensor:
    """Decodes one film, makes it grey and square, and encodes it as PNG.

    Args:
        data: string scalar, the bytes of a JPEG or PNG of 8 or 16 bits, grey, RGB, RGBA, palette
            or CMYK.
        size: side of the square, in pixels.
        square: see `to_square`.

    Returns:
        string scalar, a grey 8-bit PNG of [size, size, 1].
    """
    # Three channels always: grey comes out thrice, transparency is dropped, CMYK is converted.
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    grey = tf.tensordot(tf.cast(image, tf.float32), tf.constant(_GREY_WEIGHTS), 1)[..., tf.newaxis]
    small = tf.round(to_square(grey, size, square))
    return tf.io.encode_png(tf.saturate_cast(small, tf.uint8), compression=1)


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """TFX Transform's entry point.

    Args:
        inputs: the features of `components.shared.record`, each of shape [N].
        custom_config: `input_size` in pixels and `square`, see `to_square`.

    Returns:
        `image`, string [N] of small PNGs; `squashed`, float32 [N], of these; and the carried
        features as they came.
    """
    size, square = custom_config["input_size"], custom_config["square"]
    images = tf.map_fn(
        lambda data: preprocess_film(data, size, square),
        inputs[IMAGE],
        parallel_iterations=_FILMS_AT_ONCE,
    )
    squashed = inputs[SQUASHED]
    if square == "squash":
        squashed *= tf.cast(inputs[WIDTH] / inputs[HEIGHT], tf.float32)
    carried = {name: tf.identity(inputs[name]) for name in CARRIED}
    return {IMAGE: images, SQUASHED: tf.identity(squashed), **carried}
