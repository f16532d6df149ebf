"""The SavedModel: bytes in, probability, threshold and label out, and where the net looked."""

import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    CLASSES,
    EXAMPLES,
    HEATMAP,
    IMAGE,
    IMAGE_BYTES,
    LABEL_NAME,
    PROBABILITY,
    SEEN_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    SIGNATURE_EXPLAIN,
    THRESHOLD,
)
from components.trainer.augment import central
from components.trainer.model import Net

# Before the evaluator has found one.
_PROVISIONAL_THRESHOLD = 0.5
_BYTES = [tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)]


class ServedModel(tf.Module):
    """Transform's graph, the net and the threshold, as a server sees them."""

    def __init__(self, net: Net, transform: tft.TFTransformOutput, input_size: int) -> None:
        """Takes the net, Transform's output, and the side of the pictures that it gives."""
        super().__init__()
        self.maps, self.score = net.maps, net.score
        self.transform = transform.transform_features_layer()
        self.threshold = tf.Variable(_PROVISIONAL_THRESHOLD, trainable=False, name=THRESHOLD)
        self._input_size = input_size

    @property
    def explains(self) -> bool:
        """Whether the net has maps to make a heat map of."""
        return len(self.maps.output_shape) == 4

    @tf.function(input_signature=_BYTES)
    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each the bytes of a JPEG or PNG."""
        maps = self.maps(self._see(image_bytes), training=False)
        return self._answer(self.score(maps, training=False))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each a serialized tf.train.Example with the feature `image`."""
        spec = {IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return self.serve_bytes(tf.io.parse_example(examples, spec)[IMAGE])

    # Wrapped only where there are maps: what is wrapped here is traced with the model.
    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], with a heat map and the part of the film that it lies on.

        The heat map, float32 [N, h, w], 0 to 1, is Grad-CAM (Selvaraju et al. 2017) of the last
        convolution: its maps, each weighted by the mean gradient of the log odds of pneumonia,
        summed; what speaks against pneumonia is cut off. `seen_bytes` is string [N], PNGs.
        """
        seen = self._see(image_bytes)
        maps = self.maps(seen, training=False)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            logit = self.score(maps, training=False)
        weights = tf.reduce_mean(tape.gradient(logit, maps), axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3))
        highest = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
        return {
            **self._answer(logit),
            HEATMAP: tf.math.divide_no_nan(heat, highest),
            SEEN_BYTES: tf.map_fn(
                lambda film: tf.io.encode_png(tf.cast(film, tf.uint8)),
                seen,
                fn_output_signature=tf.string,
            ),
        }

    def _see(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """Returns what the net sees of the films, float32 [N, S, S, 1], 0 to 255."""
        shape = [self._input_size, self._input_size, 1]
        pictures = tf.map_fn(
            lambda data: tf.cast(tf.io.decode_png(data, channels=1), tf.float32),
            self.transform({IMAGE: image_bytes})[IMAGE],
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )
        return central(pictures, self.maps.input_shape[1])

    def _answer(self, logit: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = tf.sigmoid(logit[:, 0])
        return {
            PROBABILITY: probability,
            THRESHOLD: tf.fill(tf.shape(probability), self.threshold),
            LABEL_NAME: tf.where(probability >= self.threshold, CLASSES[1], CLASSES[0]),
        }


def export(net: Net, transform: tft.TFTransformOutput, input_size: int, path: str) -> None:
    """Writes the SavedModel with its signatures.

    Args:
        net: to serve.
        transform: Transform's output, whose graph becomes part of the model.
        input_size: side P of Transform's pictures, of whose middle the net sees a part.
        path: of the SavedModel's folder.
    """
    served = ServedModel(net, transform, input_size)
    signatures = {SIGNATURE_BYTES: served.serve_bytes, SIGNATURE_EXAMPLES: served.serve_examples}
    if served.explains:
        signatures[SIGNATURE_EXPLAIN] = tf.function(served.explain, input_signature=_BYTES)
    tf.saved_model.save(served, path, signatures=signatures)
