"""The gRPC interface, by the official protos."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from support.served_model import Address, png
from support.written_examples import example_of


@pytest.fixture(scope="module")
def channel(server: Address) -> Iterator[Any]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel: Any) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request_for(
    value: Any, name: str = "image_bytes", model: str = "pneumonia", **spec: Any
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    for key, given in spec.items():
        if key == "version":
            request.model_spec.version.value = given
        else:
            setattr(request.model_spec, key, given)
    tensor = value if isinstance(value, tf.make_tensor_proto(0).__class__) else None
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value) if tensor is None else tensor)
    return request


@pytest.mark.parametrize("spec", [{}, {"version": 7}, {"signature_name": "serving_default"}])
def test_predict(stub: Any, spec: dict[str, Any]) -> None:
    response = stub.Predict(request_for([png(51), png(204)], **spec), timeout=30)
    found = {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}
    assert found["probability"] == pytest.approx(np.array([51, 204]) / 255, abs=1e-6)
    assert found["probability"].dtype == np.float32
    assert found["threshold"].tolist() == [0.5, 0.5]
    assert found["label"].tolist() == [b"NORMAL", b"PNEUMONIA"]
    assert found["model_version"].tolist() == [b"7", b"7"]
    assert response.model_spec.name == "pneumonia"
    assert response.model_spec.version.value == 7
    assert response.model_spec.signature_name == "serving_default"


def test_the_other_signatures(stub: Any) -> None:
    example = example_of(png(51))
    request = request_for([example], "examples", signature_name="serving_examples")
    found = tf.make_ndarray(stub.Predict(request, timeout=30).outputs["probability"])
    assert found == pytest.approx([0.2], abs=1e-6)
    request = request_for([png(51)], signature_name="explain")
    outputs = stub.Predict(request, timeout=30).outputs
    assert tf.make_ndarray(outputs["heatmap"]) == pytest.approx(np.full((1, 2, 2), 0.2), abs=1e-6)
    assert tf.make_ndarray(outputs["seen_bytes"]).tolist() == [png(51)]


def test_only_the_outputs_that_are_asked_for(stub: Any) -> None:
    request = request_for([png(51)])
    request.output_filter.append("label")
    assert list(stub.Predict(request, timeout=30).outputs) == ["label"]


def shaped(*sides: int) -> Any:
    """A tensor of one string that claims a shape."""
    proto = tf.make_tensor_proto([png(51)])
    proto.tensor_shape.CopyFrom(tf.TensorShape(sides).as_proto())
    return proto


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (request_for([b"no film"]), "INVALID_ARGUMENT", "Film 0 is no readable JPEG or PNG"),
        (request_for([png(51)], "other"), "INVALID_ARGUMENT", "The inputs are"),
        (request_for([1.5]), "INVALID_ARGUMENT", "takes strings"),
        (request_for(png(51)), "INVALID_ARGUMENT", "takes strings of the shape"),
        (request_for(shaped(10**12)), "INVALID_ARGUMENT", "1 to 64 rows"),
        (request_for([png(51)], signature_name="x"), "INVALID_ARGUMENT", '"x" not found'),
        (request_for([png(51)], version_label="x"), "INVALID_ARGUMENT", "version label: x"),
        (request_for([png(51)], model="other"), "NOT_FOUND", r"Latest\(other\)"),
        (request_for([png(51)], version=8), "NOT_FOUND", r"Specific\(pneumonia, 8\)"),
        (predict_pb2.PredictRequest(), "NOT_FOUND", r"Latest\(\)"),
    ],
)
def test_what_is_refused(stub: Any, request_: Any, code: str, reason: str) -> None:
    with pytest.raises(grpc.RpcError, match=reason) as error:
        stub.Predict(request_, timeout=30)
    assert error.value.code() is grpc.StatusCode[code]


def test_an_output_that_is_not_there(stub: Any) -> None:
    request = request_for([png(51)])
    request.output_filter.append("logit")
    with pytest.raises(grpc.RpcError, match="not found in signature: logit"):
        stub.Predict(request, timeout=30)


def test_metadata(stub: Any) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "pneumonia"
    with pytest.raises(grpc.RpcError, match="metadata_field"):
        stub.GetModelMetadata(request, timeout=30)
    request.metadata_field.append("signature_def")
    response = stub.GetModelMetadata(request, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 7
    default = signatures.signature_def["serving_default"]
    assert list(default.inputs) == ["image_bytes"]
    assert set(default.outputs) == {"probability", "threshold", "label", "model_version"}


def test_status(channel: Any) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "pneumonia"
    (status,) = stub.GetModelStatus(request, timeout=30).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.version, status.state, status.status.error_code) == (7, available, 0)
    request.model_spec.version.value = 8
    with pytest.raises(grpc.RpcError, match="version 8") as error:
        stub.GetModelStatus(request, timeout=30)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_what_these_models_do_not_speak_is_unimplemented(channel: Any, stub: Any) -> None:
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    for method, request in (
        (stub.Classify, classification_pb2.ClassificationRequest()),
        (models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    ):
        with pytest.raises(grpc.RpcError) as error:
            method(request, timeout=30)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
