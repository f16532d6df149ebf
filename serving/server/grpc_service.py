"""TensorFlow Serving's gRPC interface: PredictionService and ModelService."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
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
# Of one connection; more wait at the client.
_STREAMS = 128


def build(service: Service, address: str) -> Any:
    """Returns a `grpc.aio` server that is bound to the address but not started, and its port.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    limits = service.limits
    server = grpc.aio.server(
        interceptors=[_Admission(service)],
        options=[
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", _STREAMS),
            # It lets a connection send ahead, more and more, what nobody may ever read.
            ("grpc.http2.bdp_probe", 0),
            # Another process on the port would get some of the requests.
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=limits.requests,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(service), server)
    return server, server.add_insecure_port(address)


class _Admission(grpc.aio.ServerInterceptor):
    """What stands before every call: the token, how many at once, room for the message.

    A handler of one message gets it when it has been read, however large. So each is put behind a
    handler of a stream, which reads its one message after the call has been admitted: until then
    no more of it comes than one window of HTTP/2.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        limits = service.limits
        # What is being read is not counted before it is there: as many as would fit at their most.
        self._reads = asyncio.Semaphore(max(1, limits.held_bytes // limits.body_bytes))

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        call = details.method.rpartition("/")[2]

        async def answer(_: Any, context: Any) -> Any:
            return await self._answer(handler, call, context)

        return grpc.stream_unary_rpc_method_handler(answer, None, handler.response_serializer)

    async def _answer(self, handler: Any, call: str, context: Any) -> Any:
        """Admits and counts a request, and turns its error into gRPC's."""
        started = time.perf_counter()
        status = grpc.StatusCode.CANCELLED
        try:
            metadata = dict(context.invocation_metadata() or ())
            self._service.check_token(metadata.get("authorization"))
            with self._service.admitted(), self._service.bodies.room() as room:
                message = await self._read(context)
                room.take(len(message))
                request = _parsed(message, handler.request_deserializer)
                del message  # the films are in the request
                response = await handler.unary_unary(request, context)
            status = grpc.StatusCode.OK
            return response
        except RequestError as error:
            status = grpc.StatusCode[error.refusal.grpc]
            await context.abort(status, str(error))
        except NotImplementedError:  # of the generated classes
            status = grpc.StatusCode.UNIMPLEMENTED
            await context.abort(status, f"{call} is not spoken here.")
        except Exception:
            _LOG.exception("%s failed.", call)
            status = grpc.StatusCode.INTERNAL
            await context.abort(status, "The server failed.")
        finally:
            self._service.metrics.request("grpc", call, status.name, time.perf_counter() - started)

    async def _read(self, context: Any) -> bytes:
        limits = self._service.limits
        try:
            async with self._reads:
                message: Any = await asyncio.wait_for(context.read(), limits.body_seconds)
        except asyncio.TimeoutError as error:
            raise limits.too_slow() from error
        if message is grpc.aio.EOF:
            raise invalid("The call holds no message.")
        return message


def _parsed(message: bytes, deserialize: Callable[[bytes], Any]) -> Any:
    try:
        return deserialize(message)
    except DecodeError as error:
        raise invalid("The message is not of the call's type.") from error


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the others are answered with UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def Predict(self, request: Any, context: Any) -> Any:
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

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:
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
