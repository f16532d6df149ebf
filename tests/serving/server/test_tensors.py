import base64
import json
from typing import Any

import numpy as np
import pytest

from serving.server.errors import RequestError
from serving.server.tensors import (
    Spec,
    check,
    from_columns,
    from_rows,
    to_columns,
    to_rows,
)

STRINGS = Spec(np.dtype(object), (None,))
ONE = {"image_bytes": STRINGS}
B64 = {"b64": base64.b64encode(b"\x00\xff").decode()}
# As in the documentation of TensorFlow Serving.
THREE = {
    "tag": STRINGS,
    "signal": Spec(np.dtype(np.int64), (None, 5)),
    "sensor": Spec(np.dtype(np.float32), (None, 2, 2)),
}
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {
    "tag": ["foo", "bar"],
    "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
    "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
}


@pytest.mark.parametrize("found", [from_rows(ROWS, THREE), from_columns(COLUMNS, THREE)])
def test_the_documentations_rows_and_columns_are_the_same(found: dict[str, np.ndarray]) -> None:
    assert found["tag"].tolist() == [b"foo", b"bar"]
    assert found["signal"].tolist() == COLUMNS["signal"]
    assert found["signal"].dtype == np.int64
    assert found["sensor"].tolist() == COLUMNS["sensor"]
    assert found["sensor"].dtype == np.float32


@pytest.mark.parametrize(
    "value", [B64, {"b64": B64["b64"].rstrip("=")}, {"b64": " " + "\r\n".join(B64["b64"]) + "\t"}]
)
def test_base64_is_read_wherever_a_string_may_be(value: dict[str, str]) -> None:
    for found in (
        from_rows([{"image_bytes": value}], ONE),
        from_rows([value], ONE),
        from_columns({"image_bytes": [value]}, ONE),
        from_columns([value], ONE),
    ):
        assert found["image_bytes"].tolist() == [b"\x00\xff"]


@pytest.mark.parametrize(
    ("instances", "reason"),
    [
        ([], "at least one row"),
        ({}, "not a list"),
        ("film", "not a list"),
        ([{"image_bytes": "a"}, "b"], "no object with the inputs"),
        ([{"other": "a"}], "other or fewer names"),
        ([{"image_bytes": "a", "other": "b"}], "other or fewer names"),
        ([1.5], "takes strings, and a float was given"),
        ([None], "takes strings, and a NoneType"),
        ([{"b64": 3}], "takes strings, and a dict"),
        ([{"b64": "a"}], "no base64"),
        ([{"b64": "a*bc"}], "no base64"),
        ([["a"]], "takes strings, and a list"),
    ],
)
def test_rows_that_do_not_fit(instances: Any, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        from_rows(instances, ONE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signal": [[1, 2, 3, 4, 5], [3]]}, "unequal length"),
        ({"signal": [[1, 2, 3, 4, 5], 3]}, "unequal length"),
        ({"signal": 3}, "lists 2 deep"),
        ({"signal": [[1, 2, 3, 4, 2.5]]}, "takes int64, and a float"),
        ({"signal": [[1, 2, 3, 4, True]]}, "takes int64, and a bool"),
        ({"signal": [[1, 2, 3, 4, 2**63]]}, "no int64"),
        ({"signal": [[1, 2, 3, 4, 10**400]]}, "takes int64, and a int"),
        ({"sensor": [[[]]]}, "none of them empty"),
        ({"tag": []}, "none of them empty"),
    ],
)
def test_columns_that_do_not_fit(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        from_columns({**COLUMNS, **change}, THREE)


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "reason"),
    [
        ("label", object, (1,), "The inputs are"),
        ("signal", np.int32, (1, 5), "takes int64 of the shape"),
        ("signal", None, (1, 5), "takes int64 of the shape"),
        ("signal", np.int64, (1,), r"takes int64 of the shape \[-1, 5\]"),
        ("signal", np.int64, (1, 4), r"has the shape \[-1, 5\]"),
        ("tag", object, (0,), "1 to 2 rows, and this one 0"),
        ("tag", object, (3,), "1 to 2 rows, and this one 3"),
        ("tag", object, (-1,), "1 to 2 rows"),
    ],
)
def test_inputs_that_the_signature_does_not_take(
    name: str, dtype: Any, shape: tuple[int, ...], reason: str
) -> None:
    check("tag", object, (2,), THREE, 2)
    with pytest.raises(RequestError, match=reason):
        check(name, dtype, shape, THREE, 2)


OUTPUTS = {
    "probability": np.array([0.1, 0.25], np.float32),
    "label": np.array([b"NORMAL", b"PNEUMONIA"], object),
    "seen_bytes": np.array([b"\x00\xff", b""], object),
    "heatmap": np.array([[[0.5]], [[1]]], np.float32),
}


def test_outputs_as_rows_and_as_columns() -> None:
    # 0.1 as float32 is 0.100000001490116...; its shortest name is 0.1.
    assert json.dumps(to_rows(OUTPUTS)[0]) == json.dumps(
        {"probability": 0.1, "label": "NORMAL", "seen_bytes": B64, "heatmap": [[0.5]]}
    )
    assert to_columns(OUTPUTS) == {
        "probability": [0.1, 0.25],
        "label": ["NORMAL", "PNEUMONIA"],
        "seen_bytes": [B64, {"b64": ""}],
        "heatmap": [[[0.5]], [[1.0]]],
    }


def test_one_output_has_no_name() -> None:
    one = {"probability": OUTPUTS["probability"]}
    assert to_rows(one) == to_columns(one) == [0.1, 0.25]


def test_what_is_not_finite_is_written_as_javascript_does() -> None:
    values = {"x": np.array([np.nan, np.inf, -np.inf], np.float32)}
    assert json.dumps(to_rows(values)) == "[NaN, Infinity, -Infinity]"
