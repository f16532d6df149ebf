"""One version of the pushed model, in this process."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from components.shared.features import IMAGE_BYTES, SIGNATURE_BYTES, SIGNATURE_EXPLAIN, THRESHOLD
from components.shared.limits import limits_of
from components.shared.versions import GRAPH_FILE
from serving.refusals import reason_of
from serving.server.errors import Refusal, RequestError
from serving.server.tensors import Spec, Tensors

_WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")


class ModelError(Exception):
    """A version that cannot be served; the message says why."""


class Model:
    """A loaded SavedModel that has answered.

    Attributes:
        signature_defs: its `SignatureDef`s by name, as TensorFlow Serving's metadata has them.
        threshold: of a probability, from which on the label is PNEUMONIA.
        limits: of the films that it reads.
    """

    def __init__(self, folder: Path) -> None:
        """Loads the model, has it answer its warm-up requests and a picture.

        Raises:
            ModelError: it does not answer as a model of this pipeline does.
            Exception: TensorFlow cannot load it.
        """
        self.signature_defs = _signature_defs(folder / GRAPH_FILE)
        self.limits = limits_of(folder)
        self._loaded = tf.saved_model.load(str(folder))  # owns the variables
        self._inputs = {
            name: _specs(function) for name, function in self._loaded.signatures.items()
        }
        if self._inputs.get(SIGNATURE_BYTES, {}).keys() != {IMAGE_BYTES}:
            raise ModelError(f"it has no signature {SIGNATURE_BYTES} that takes {IMAGE_BYTES}")
        self._warm_up(folder / _WARM_UP)
        film = np.array([_ramp(max(64, self.limits.min_side))], object)
        answer = self._checked(SIGNATURE_BYTES, {IMAGE_BYTES: film})
        if THRESHOLD not in answer:
            raise ModelError(f"it answers without a {THRESHOLD}")
        self.threshold = float(answer[THRESHOLD][0])
        if self.explains:
            self._checked(SIGNATURE_EXPLAIN, {IMAGE_BYTES: film})

    @property
    def explains(self) -> bool:
        """Whether it gives heat maps."""
        return SIGNATURE_EXPLAIN in self._inputs

    def inputs(self, signature: str) -> Mapping[str, Spec] | None:
        """Returns what a signature takes, by name; None where there is no such signature."""
        return self._inputs.get(signature)

    def run(self, signature: str, inputs: Tensors) -> Tensors:
        """Returns a signature's outputs.

        Raises:
            RequestError: the inputs are to blame, such as a film that cannot be decoded.
        """
        tensors = {
            name: tf.constant(array.tolist() if array.dtype.kind == "O" else array)
            for name, array in inputs.items()
        }
        try:
            outputs = self._loaded.signatures[signature](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(Refusal.INVALID, reason_of(error.message)) from error
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def _warm_up(self, path: Path) -> None:
        if not path.is_file():
            return
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            self._checked(request.model_spec.signature_name or SIGNATURE_BYTES, inputs)

    def _checked(self, signature: str, inputs: Tensors) -> Tensors:
        outputs = self.run(signature, inputs)
        for name, array in outputs.items():
            if array.dtype.kind == "f" and not all(math.isfinite(value) for value in array.flat):
                raise ModelError(f"the {name} of its {signature} is not finite")
        return outputs


def _signature_defs(path: Path) -> dict[str, Any]:
    graphs = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    for graph in graphs:
        if tf.saved_model.SERVING in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise ModelError(f"its {GRAPH_FILE} has no graph to serve")


def _ramp(side: int) -> bytes:
    """Returns a square PNG of all greys, which is on a model's limits where its side is."""
    greys = tf.linspace(0.0, 255.0, side)
    picture = tf.tile(tf.reshape(tf.cast(greys, tf.uint8), (1, side, 1)), (side, 1, 1))
    return tf.io.encode_png(picture).numpy()


def _specs(function: Any) -> dict[str, Spec]:
    return {
        name: Spec(np.dtype(spec.dtype.as_numpy_dtype), tuple(spec.shape))
        for name, spec in function.structured_input_signature[1].items()
    }
