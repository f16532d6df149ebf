"""TensorFlow Serving's gRPC interface: PredictionService and ModelService."""

import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from components.shared.features import SIGNATURE_BYTES
from serving.server.errors import RequestError
from serving.server.service import Service
from serving.server.tensors import Spec, Tensors, check, invalid

_LOG = logging.getLogger(__name__)
_SIGNATURE_DEF = "signature_def"


def build(service: Service, address: str) -> Any:
    """Returns a `grpc.aio` server that is bound to the address but not started, and its port.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    limits = service.limits
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            # Another process on the port would get some of the requests.
            ("grpc.so_reuseport", 0),
        ],
        # Messages are read before the service can refuse them.
        maximum_concurrent_rpcs=limits.requests,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(service), server)
    return server, server.add_insecure_port(address)


async def _answer(
    service: Service, context: Any, call: str, answer: Coroutine[Any, Any, Any]
) -> Any:
    """Admits and counts a request, and turns its error into gRPC's."""
    started = time.perf_counter()
    status = grpc.StatusCode.CANCELLED
    try:
        metadata = dict(context.invocation_metadata() or ())
        service.check_token(metadata.get("authorization"))
        with service.admitted():
            response = await answer
        status = grpc.StatusCode.OK
        return response
    except RequestError as error:
        status = grpc.StatusCode[error.refusal.grpc]
        await context.abort(status, str(error))
    except Exception:
        _LOG.exception("%s failed.", call)
        status = grpc.StatusCode.INTERNAL
        await context.abort(status, "The server failed.")
    finally:
        answer.close()  # where it was refused, it has not begun
        service.metrics.request("grpc", call, status.name, time.perf_counter() - started)


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the others are answered with UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def Predict(self, request: Any, context: Any) -> Any:
        return await _answer(self._service, context, "Predict", self._predict(request))

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:
        return await _answer(self._service, context, "GetModelMetadata", self._metadata(request))

    async def _predict(self, request: Any) -> Any:
        spec = request.model_spec
        with self._service.hold(spec.name, _version(spec)) as version:
            outputs = await self._service.predict(
                version,
                spec.signature_name,
                lambda specs: _arrays(request.inputs, specs, self._service.limits.films),
            )
        wanted = list(request.output_filter) or list(outputs)
        response = predict_pb2.PredictResponse()
        for name in wanted:
            if name not in outputs:
                raise invalid(f"output tensor alias not found in signature: {name}")
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        response.model_spec.name = spec.name
        response.model_spec.version.value = version.number
        response.model_spec.signature_name = spec.signature_name or SIGNATURE_BYTES
        return response

    async def _metadata(self, request: Any) -> Any:
        if list(request.metadata_field) != [_SIGNATURE_DEF]:
            raise invalid(
                f"The metadata_field is {list(request.metadata_field)}, not signature_def."
            )
        spec = request.model_spec
        with self._service.hold(spec.name, _version(spec)) as version:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = spec.name
            response.model_spec.version.value = version.number
            response.metadata[_SIGNATURE_DEF].Pack(
                get_model_metadata_pb2.SignatureDefMap(
                    signature_def=version.servable.model.signature_defs
                )
            )
            return response


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; HandleReloadConfigRequest is answered with UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def GetModelStatus(self, request: Any, context: Any) -> Any:
        return await _answer(self._service, context, "GetModelStatus", self._status(request))

    async def _status(self, request: Any) -> Any:
        response = get_model_status_pb2.GetModelStatusResponse()
        spec = request.model_spec
        for number, state in self._service.state(spec.name, _version(spec)).items():
            status = response.model_version_status.add()
            status.version = number
            status.state = get_model_status_pb2.ModelVersionStatus.State.Value(state.name)
            status.status.error_code = state.code
            status.status.error_message = state.message
        return response


def _version(spec: Any) -> int | None:
    if spec.version_label:
        raise invalid(f"Unrecognized servable version label: {spec.version_label}")
    return spec.version.value if spec.HasField("version") else None


def _arrays(protos: Mapping[str, Any], specs: Mapping[str, Spec], rows: int) -> Tensors:
    for name, proto in protos.items():
        shape = [dim.size for dim in proto.tensor_shape.dim]
        # Before it is made: one value and a large shape would fill the memory.
        dtype = tf.dtypes.as_dtype(proto.dtype).as_numpy_dtype if proto.dtype else None
        check(name, dtype, shape, specs, rows)
    try:
        return {name: tf.make_ndarray(proto) for name, proto in protos.items()}
    except Exception as error:  # whatever a proto that contradicts itself makes it raise
        raise invalid("An input is no whole tensor.") from error
