"""What both sets of libraries must give alike."""

from tensorflow.core.framework import tensor_shape_pb2

from serving.server.messages import message_to_dict


def test_fields_keep_their_names_and_their_defaults() -> None:
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=-1)])
    assert message_to_dict(shape) == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
