"""The SavedModel: bytes in, probability, threshold and label out, and where the net looked."""

import os
import tempfile

import tensorflow as tf
import tensorflow_transform as tft

from components.shared.features import (
    CLASSES,
    EXAMPLES,
    HEATMAP,
    IMAGE,
    IMAGE_BYTES,
    LABEL_NAME,
    MODEL_VERSION,
    PROBABILITY,
    REFUSAL,
    SEEN_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    SIGNATURE_EXPLAIN,
    THRESHOLD,
    UNPUSHED,
    VERSION_FILE,
)
from components.shared.record import spec
from components.trainer.augment import central
from components.trainer.folding import fold
from components.trainer.model import Net
from components.trainer.rows import map_rows, refuse

# Before the evaluator has found one.
_PROVISIONAL_THRESHOLD = 0.5
_BYTES = [tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)]


class ServedModel(tf.Module):
    """Transform's graph, the net and the threshold, as a server sees them.

    Attributes:
        threshold: float32 variable; the evaluator sets it.
        version: table, of an asset that Pusher writes, whose line 0 is the version.
        weights: the net's variables.
        explains: whether the net has feature maps to make a heat map of.
    """

    def __init__(
        self, net: Net, transform: tft.TFTransformOutput, input_size: int, version_file: str
    ) -> None:
        """Takes the net, Transform's output, the side of its pictures, and the asset to be."""
        super().__init__()
        # Models and layers stand behind functions: as attributes each would be saved as Keras saves
        # it, every layer traced anew. What they hold is named here; saving fails where anything,
        # such as a table of Transform's, is not.
        self.weights = [weight.value for part in net for weight in part.variables]
        layer = transform.transform_features_layer()
        self._transform = lambda features: layer(features)
        self._feature_maps = lambda seen: net.feature_maps(seen, training=False)
        self._log_odds = lambda maps: net.log_odds(maps, training=False)
        self._net_size = net.feature_maps.input_shape[1]
        self.explains = len(net.feature_maps.output_shape) == 4
        self.threshold = tf.Variable(_PROVISIONAL_THRESHOLD, trainable=False, name=THRESHOLD)
        # A table of one line: read when a server loads the model, not at each request.
        index = tf.lookup.TextFileIndex
        self.version = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                version_file, tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE
            ),
            default_value="",
        )
        self._input_size = input_size

    @tf.function(input_signature=_BYTES, autograph=False)
    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each the bytes of a JPEG or PNG.

        A film that ingestion would put aside fails them all, and the error says why.
        """
        seen, refusals = self._see(image_bytes, IMAGE_BYTES)
        return self._answer(refuse(seen, refusals, IMAGE_BYTES), image_bytes)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)], autograph=False)
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], each a serialized tf.train.Example with the feature `image`.

        It is what the evaluator asks, of films that it changed, too: whatever can be decoded is
        answered, however small or faint.
        """
        image_bytes = map_rows(
            lambda record: tf.io.parse_single_example(record, spec(IMAGE))[IMAGE],
            examples,
            tf.TensorSpec([], tf.string),
            f"{EXAMPLES}[{{}}] is no tf.train.Example with the feature {IMAGE}",
        )
        seen, _ = self._see(image_bytes, EXAMPLES)
        return self._answer(seen, image_bytes)

    # Wrapped only where there are feature maps: what is wrapped here is traced with the model.
    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers for string [N], with a heat map and the part of the film that it lies on.

        The heat map, float32 [N, h, w], 0 to 1, is Grad-CAM (Selvaraju et al. 2017) of the last
        convolution: its maps, each weighted by the mean gradient of the log odds of pneumonia,
        summed; what speaks against pneumonia is cut off. `seen_bytes` is string [N], PNGs.
        """
        films = tf.size(image_bytes)
        seen = refuse(*self._see(image_bytes, IMAGE_BYTES), IMAGE_BYTES)
        maps = self._feature_maps(seen)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            logit = self._log_odds(maps)
        weights = tf.reduce_mean(tape.gradient(logit, maps), axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3))
        highest = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
        return {
            **self._judge(logit[:films, 0]),
            HEATMAP: tf.math.divide_no_nan(heat, highest)[:films],
            SEEN_BYTES: tf.map_fn(
                lambda film: tf.io.encode_png(tf.cast(film, tf.uint8)),
                seen[:films],
                fn_output_signature=tf.string,
            ),
        }

    def _see(self, image_bytes: tf.Tensor, argument: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the net sees of the films, and why each is to be refused.

        Of no films it returns one black picture: oneDNN's convolutions fail for an empty batch.

        Args:
            image_bytes: string [N].
            argument: by which the client knows the rows.

        Returns:
            float32 [N, S, S, 1], 0 to 255; and string [N], empty where a film is not.
        """

        def picture(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            transformed = self._transform({IMAGE: data[tf.newaxis]})
            small, refusal = (transformed[name][0] for name in (IMAGE, REFUSAL))
            return tf.io.decode_png(small, channels=1), refusal

        size = self._input_size
        pictures, refusals = map_rows(
            picture,
            image_bytes,
            (tf.TensorSpec([size, size, 1], tf.uint8), tf.TensorSpec([], tf.string)),
            f"{argument}[{{}}] holds no image that can be decoded",
        )
        black = tf.cast(tf.size(image_bytes) == 0, tf.int32)
        pictures = tf.pad(pictures, [[0, black], [0, 0], [0, 0], [0, 0]])
        return central(tf.cast(pictures, tf.float32), self._net_size), refusals

    def _answer(self, seen: tf.Tensor, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        logit = self._log_odds(self._feature_maps(seen))
        return self._judge(logit[: tf.size(image_bytes), 0])

    def _judge(self, logit: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what is said of films of these log odds [N]."""
        probability = tf.sigmoid(logit)
        return {
            PROBABILITY: probability,
            THRESHOLD: tf.fill(tf.shape(probability), self.threshold),
            LABEL_NAME: tf.where(probability >= self.threshold, CLASSES[1], CLASSES[0]),
            MODEL_VERSION: tf.fill(
                tf.shape(probability), self.version.lookup(tf.constant(0, tf.int64))
            ),
        }


def export(net: Net, transform: tft.TFTransformOutput, input_size: int, path: str) -> None:
    """Writes the SavedModel with its signatures.

    Args:
        net: to serve.
        transform: Transform's output, whose graph becomes part of the model.
        input_size: side P of Transform's pictures, of whose middle the net sees a part.
        path: of the SavedModel's folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        version_file = os.path.join(folder, VERSION_FILE)
        with open(version_file, "w", encoding="utf-8") as file:
            file.write(UNPUSHED)
        folded = net._replace(feature_maps=fold(net.feature_maps))
        served = ServedModel(folded, transform, input_size, version_file)
        signatures = {
            SIGNATURE_BYTES: served.serve_bytes,
            SIGNATURE_EXAMPLES: served.serve_examples,
        }
        if served.explains:
            signatures[SIGNATURE_EXPLAIN] = tf.function(
                served.explain, input_signature=_BYTES, autograph=False
            )
        tf.saved_model.save(served, path, signatures=signatures)
