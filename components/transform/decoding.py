"""`components.films` as a TensorFlow graph, which servers run that have none of this code.

Which films are refused, in which words, and what becomes of their grey levels is the same there;
`tests/components/transform/test_decoding.py` holds one against the other.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from components.films import orientation as exif
from components.films.blank import BLANK
from components.films.grey import INNER, NARROW
from components.films.signatures import JPEG, PNG, START_OF_IMAGE
from components.shared.limits import FilmLimits

# Weights of red, green and blue in the grey level (ITU-R BT.601, as OpenCV has them).
_GREY_WEIGHTS = (0.299, 0.587, 0.114)
# In the first chunk of a PNG: width and height, each four bytes; then the bits of a sample.
_WIDTH_AT, _HEIGHT_AT, _DEPTH_AT = 16, 20, 24
_WORDS = 2**16
_ANY_SHAPE = 1e9


def refusal(data: tf.Tensor, limits: FilmLimits) -> tf.Tensor:
    """Returns why a file is no film, as far as its header tells; empty where it may be one.

    Args:
        data: string scalar, the bytes.
        limits: of its bytes and pixels.
    """
    size = tf.strings.length(data)
    jpeg, png = _begins(data, JPEG), _begins(data, PNG)
    height, width = tf.case(
        [(jpeg, lambda: _jpeg_shape(data)), (png, lambda: _png_shape(data))],
        default=lambda: (tf.constant(0, tf.int64), tf.constant(0, tf.int64)),
    )
    least, most = tf.minimum(height, width), tf.maximum(height, width)
    pixels = _join("has ", width, " x ", height, " pixels")
    return _first(
        (size == 0, tf.constant("is empty")),
        (
            size > limits.max_bytes,
            _join("has ", size, f" bytes; at most {limits.max_bytes} are read"),
        ),
        (~(jpeg | png), tf.constant("is no readable JPEG or PNG")),
        (
            width * height > limits.max_pixels,
            _join(pixels, f"; at most {limits.max_pixels} are read"),
        ),
        (least < limits.min_side, _join(pixels, f": a side is under {limits.min_side}")),
        (
            tf.cast(most, tf.float64) > limits.max_aspect_ratio * tf.cast(least, tf.float64),
            _join(pixels, f": longer than {limits.max_aspect_ratio:g} to 1"),
        ),
    )


def readable(data: tf.Tensor, limits: FilmLimits) -> tf.Tensor:
    """Returns whether a file is to be decoded at all: a JPEG or PNG, and not too large.

    Args: as `refusal`.
    """
    return refusal(data, limits.changed(min_side=1, max_aspect_ratio=_ANY_SHAPE)) == ""


def why_blank(grey: tf.Tensor) -> tf.Tensor:
    """Returns why grey levels of 0 to 255 show nothing, a string scalar; empty where they do."""
    deviation = tf.math.reduce_std(grey) / 255.0
    shown = tf.strings.as_string(deviation, precision=4)
    said = _join("is blank: the grey level varies by ", shown, " of the range only")
    return tf.where(deviation < BLANK, said, "")


def decode_film(data: tf.Tensor) -> tf.Tensor:
    """Decodes a film, makes it grey, and turns it upright.

    Args:
        data: string scalar, the bytes of a JPEG or PNG of 8 or 16 bits, grey, RGB, RGBA, palette or
            CMYK.

    Returns:
        float32 [H, W, 1], 0 to 255.
    """
    words = _begins(data, PNG) & (_number(data, _DEPTH_AT, 1) == 16)
    grey = tf.cond(words, lambda: _shown(_decode_words(data)), lambda: _decode_bytes(data))
    return _turned(grey, orientation(data))


def _decode_bytes(data: tf.Tensor) -> tf.Tensor:
    # Three channels always: grey comes out thrice, transparency is dropped, CMYK is converted. PNG
    # is decoded too. TensorFlow's own choice of a transform is off by up to a dozen grey levels.
    return _grey(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"))


def _decode_words(data: tf.Tensor) -> tf.Tensor:
    """Returns the grey levels of a PNG of 16 bits, int32 [H, W, 1]."""
    return tf.cast(tf.round(_grey(tf.io.decode_png(data, channels=3, dtype=tf.uint16))), tf.int32)


def _grey(image: tf.Tensor) -> tf.Tensor:
    return tf.tensordot(tf.cast(image, tf.float32), tf.constant(_GREY_WEIGHTS), 1)[..., tf.newaxis]


def _shown(words: tf.Tensor) -> tf.Tensor:
    """Returns 16 bits as 8, float32, by the range that the values use; see `films.grey.used`."""
    codes = tf.range(_WORDS)
    films = tf.math.bincount(tf.reshape(words, [-1]), minlength=_WORDS, maxlength=_WORDS)
    below = tf.cast(tf.cumsum(films), tf.float64)
    low, high = tf.unstack(tf.searchsorted(below, tf.constant(INNER, tf.float64) * below[-1]))
    reach = high - low
    inside = tf.boolean_mask(codes, (films > 0) & (codes >= low - reach) & (codes <= high + reach))
    # Nothing is inside of a picture without pixels, which the decoder refuses.
    narrow = (reach > 0) & (tf.cast(reach, tf.float64) <= NARROW * (_WORDS - 1))
    black = tf.where(narrow, tf.reduce_min(inside), 0)
    white = tf.where(narrow, tf.reduce_max(inside), _WORDS - 1)
    share = tf.cast(codes - black, tf.float64) / tf.cast(white - black, tf.float64)
    levels = tf.cast(tf.round(tf.clip_by_value(share, 0.0, 1.0) * 255.0), tf.float32)
    return tf.gather(levels, words)


def _turned(picture: tf.Tensor, way: tf.Tensor) -> tf.Tensor:
    for ways, turn in (
        (exif.TRANSPOSED, lambda film: tf.transpose(film, (1, 0, 2))),
        (exif.ACROSS, lambda film: tf.reverse(film, (1,))),
        (exif.DOWN, lambda film: tf.reverse(film, (0,))),
    ):
        picture = tf.cond(
            tf.reduce_any(tf.constant(ways) == way),
            functools.partial(turn, picture),
            functools.partial(tf.identity, picture),
        )
    return picture


def orientation(data: tf.Tensor) -> tf.Tensor:
    """Returns what `components.films.orientation.orientation` does, an int32 scalar.

    Args:
        data: string scalar.
    """
    block = tf.case(
        [
            (_begins(data, START_OF_IMAGE), lambda: _exif_of_jpeg(data)),
            (_begins(data, PNG), lambda: _exif_of_png(data)),
        ],
        default=lambda: tf.constant(""),
    )
    order = tf.strings.substr(block, 0, 2)
    known = (order == "II") | (order == "MM")
    return tf.cond(known, lambda: _of_tiff(block, order == "II"), lambda: tf.constant(exif.UPRIGHT))


def _exif_of_jpeg(data: tf.Tensor) -> tf.Tensor:
    def segment(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        start, marker, high, low = tf.unstack(_bytes(data, at, 4), num=4)
        length = 256 * high + low
        begin = at + 4 + len(exif.EXIF_START)
        ended = (start != 0xFF) | (marker == exif.START_OF_SCAN) | (marker == exif.END)
        exifs = _part(data, at + 4, len(exif.EXIF_START)) == exif.EXIF_START
        found = ~ended & (marker == exif.APP1) & exifs
        block = tf.where(found, _part(data, begin, at + 2 + length - begin), "")
        step = tf.where(marker == 0xFF, tf.constant(1, tf.int64), 2 + length)
        return at + step, block, ended | found

    return _walk(data, 2, 4, segment)


def _exif_of_png(data: tf.Tensor) -> tf.Tensor:
    def chunk(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = _number(data, at, 4)
        found = _part(data, at + 4, 4) == "eXIf"
        return at + 12 + length, tf.where(found, _part(data, at + 8, length), ""), found

    return _walk(data, len(PNG), 8, chunk)


def _walk(
    data: tf.Tensor,
    start: int,
    header: int,
    step: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
) -> tf.Tensor:
    """Goes from part to part of a file until one is the last that is looked at.

    Args:
        data: string scalar.
        start: where the first part begins.
        header: bytes that a part has at least.
        step: from where a part begins to where the next one does, what is found, and whether that
            is the end.

    Returns:
        What the last step found, a string scalar.
    """
    size = tf.strings.length(data)
    _, found, _ = tf.while_loop(
        lambda at, _, ended: ~ended & (at + header <= tf.cast(size, tf.int64)),
        lambda at, *_: step(at),
        (tf.constant(start, tf.int64), tf.constant(""), tf.constant(False)),
        maximum_iterations=exif.MOST_PARTS,
    )
    return found


def _of_tiff(block: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
    start = _number(block, 4, 4, little)
    entries = tf.maximum(_number(block, start, 2, little), 1)
    table = tf.reshape(_bytes(block, start + 2, 12 * entries), [-1, 12])
    two = tf.where(little, [1, 256], [256, 1])
    tags, kinds, ways = (
        tf.tensordot(table[:, at : at + 2], tf.cast(two, tf.int64), 1) for at in (0, 2, 8)
    )
    row = tf.argmax(tags == exif.TAG, output_type=tf.int64)
    whole = start + 2 + 12 * row + 10 <= tf.cast(tf.strings.length(block), tf.int64)
    valid = whole & (tags[row] == exif.TAG) & (kinds[row] == exif.SHORT)
    valid &= (ways[row] >= 1) & (ways[row] <= 8)
    return tf.where(valid, tf.cast(ways[row], tf.int32), exif.UPRIGHT)


def _jpeg_shape(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    height, width, _ = tf.unstack(tf.image.extract_jpeg_shape(data, tf.int32), num=3)
    return tf.cast(height, tf.int64), tf.cast(width, tf.int64)


def _png_shape(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _number(data, _HEIGHT_AT, 4), _number(data, _WIDTH_AT, 4)


def _begins(data: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(data, 0, len(magic)) == magic


def _part(data: tf.Tensor, at: tf.Tensor | int, length: tf.Tensor | int) -> tf.Tensor:
    """Returns so many bytes from a place on, fewer at the end, a string scalar."""
    at = tf.minimum(tf.cast(at, tf.int64), tf.cast(tf.strings.length(data), tf.int64))
    return tf.strings.substr(data, at, tf.maximum(tf.cast(length, tf.int64), 0))


def _bytes(data: tf.Tensor, at: tf.Tensor | int, length: tf.Tensor | int) -> tf.Tensor:
    """Returns so many bytes from a place on, zeros beyond the end, int64 [length]."""
    part = _part(data, at, length)
    words = tf.io.decode_raw(part, tf.uint8, fixed_length=tf.cast(length, tf.int32))
    return tf.cast(words, tf.int64)


def _number(
    data: tf.Tensor, at: tf.Tensor | int, length: int, little: tf.Tensor | bool = False
) -> tf.Tensor:
    """Returns a number without a sign, of so many bytes, an int64 scalar."""
    powers = tf.constant([256**place for place in range(length)], tf.int64)
    return tf.reduce_sum(_bytes(data, at, length) * tf.where(little, powers, powers[::-1]))


def _join(*parts: tf.Tensor | str) -> tf.Tensor:
    return tf.strings.join(
        [
            part if isinstance(part, str) or part.dtype == tf.string else tf.strings.as_string(part)
            for part in parts
        ]
    )


def _first(*cases: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Returns the sentence of the first case that holds; empty where none does."""
    said = tf.constant("")
    for holds, sentence in reversed(cases):
        said = tf.where(holds, sentence, said)
    return said
