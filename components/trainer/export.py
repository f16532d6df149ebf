"""The SavedModel: bytes in, probability, threshold and label out."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    CLASSES,
    EXAMPLES,
    IMAGE,
    IMAGE_BYTES,
    LABEL_NAME,
    PROBABILITY,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    THRESHOLD,
)

# Before the evaluator has found one.
_PROVISIONAL_THRESHOLD = 0.5


class ServedModel(tf.Module):
    """Transform's graph, the net and the threshold, as a server sees them."""

    def __init__(self, net: keras.Model, transform: tft.TFTransformOutput) -> None:
        """Takes the net, from float32 [N, S, S, 1] to [N, 1], and Transform's output."""
        super().__init__()
        self.net = net
        self.transform = transform.transform_features_layer()
        self.threshold = tf.Variable(_PROVISIONAL_THRESHOLD, trainable=False, name=THRESHOLD)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each the bytes of a JPEG or PNG."""
        small = self.transform({IMAGE: image_bytes})[IMAGE]
        pictures = tf.map_fn(
            lambda data: tf.cast(tf.io.decode_png(data, channels=1), tf.float32),
            small,
            fn_output_signature=tf.TensorSpec(self.net.input_shape[1:], tf.float32),
        )
        probability = self.net(pictures, training=False)[:, 0]
        positive = probability >= self.threshold
        return {
            PROBABILITY: probability,
            THRESHOLD: tf.fill(tf.shape(probability), self.threshold),
            LABEL_NAME: tf.where(positive, CLASSES[1], CLASSES[0]),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each a serialized tf.train.Example with the feature `image`."""
        spec = {IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return self.serve_bytes(tf.io.parse_example(examples, spec)[IMAGE])


def export(net: keras.Model, transform: tft.TFTransformOutput, path: str) -> None:
    """Writes the SavedModel with its two signatures.

    Args:
        net: from float32 [N, S, S, 1], 0 to 255, to the probability of pneumonia, [N, 1].
        transform: Transform's output, whose graph becomes part of the model.
        path: of the SavedModel's folder.
    """
    served = ServedModel(net, transform)
    signatures = {SIGNATURE_BYTES: served.serve_bytes, SIGNATURE_EXAMPLES: served.serve_examples}
    tf.saved_model.save(served, path, signatures=signatures)
