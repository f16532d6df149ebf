"""File bytes in, bytes of a small square grey PNG out, as a TensorFlow graph."""

from typing import Any

import tensorflow as tf

from components.shared.features import HEIGHT, IMAGE, REFUSAL, SQUASHED, WIDTH
from components.shared.limits import FilmLimits
from components.shared.record import CARRIED
from components.transform.decoding import decode_film, readable, refusal, why_blank

# Two films are decoded at a time, whatever the batch: TFX grows batches to hundreds, and one of 50
# million pixels takes 0.6 GB as float32 RGB.
_FILMS_AT_ONCE = 2


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
    """Decodes one film, makes it grey, upright and square, and encodes it as PNG.

    Args:
        data: string scalar, see `components.transform.decoding.decode_film`.
        size: side of the square, in pixels.
        square: see `to_square`.

    Returns:
        string scalar, a grey 8-bit PNG of [size, size, 1].
    """
    return _encode(to_square(decode_film(data), size, square))


def judge_film(
    data: tf.Tensor, size: int, square: str, limits: FilmLimits
) -> tuple[tf.Tensor, tf.Tensor]:
    """Does what `preprocess_film` does, and says whether ingestion would put the film aside.

    Args:
        data: string scalar.
        size: side of the square, in pixels.
        square: see `to_square`.
        limits: of a film. What is too large is as if it could not be decoded.

    Returns:
        The PNG; and why the film is to be refused, a string scalar, empty where it is not.
    """
    # Nothing is what no decoder takes.
    grey = decode_film(tf.where(readable(data, limits), data, ""))
    shape = refusal(data, limits)
    why = tf.where(shape == "", why_blank(grey), shape)
    return _encode(to_square(grey, size, square)), why


def _encode(picture: tf.Tensor) -> tf.Tensor:
    return tf.io.encode_png(tf.saturate_cast(tf.round(picture), tf.uint8), compression=1)


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """TFX Transform's entry point.

    Args:
        inputs: the features of `components.shared.record`, each of shape [N].
        custom_config: `input_size` in pixels, `square`, see `to_square`, and `limits`, the fields
            of `FilmLimits`.

    Returns:
        `image`, string [N] of small PNGs; `refusal`, string [N], see `judge_film`: empty for what
        ChestXrayExampleGen let pass; `squashed`, float32 [N]; and the carried features as they
        came.
    """
    size, square = custom_config["input_size"], custom_config["square"]
    limits = FilmLimits(**custom_config["limits"])
    images, refusals = tf.map_fn(
        lambda data: judge_film(data, size, square, limits),
        inputs[IMAGE],
        fn_output_signature=(tf.string, tf.string),
        parallel_iterations=_FILMS_AT_ONCE,
    )
    squashed = inputs[SQUASHED]
    if square == "squash":
        squashed *= tf.cast(inputs[WIDTH] / inputs[HEIGHT], tf.float32)
    carried = {name: tf.identity(inputs[name]) for name in CARRIED}
    return {IMAGE: images, REFUSAL: refusals, SQUASHED: tf.identity(squashed), **carried}
