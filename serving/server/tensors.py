"""JSON to arrays and back, as TensorFlow Serving's REST interface has it."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.server.errors import Refusal, RequestError

# By name; strings are object arrays of bytes.
Tensors = dict[str, np.ndarray]
# TensorFlow does not tell bytes from text: what is named so is written as base64.
_BYTES_SUFFIX = "_bytes"
_BASE64_PART = 2**20  # characters, a multiple of four


class Spec(NamedTuple):
    """What an input of a signature takes.

    Attributes:
        dtype: of NumPy; object for strings.
        shape: None where a side may have any length.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...]


def invalid(message: str) -> RequestError:
    """Returns the error of a request that does not fit."""
    return RequestError(Refusal.INVALID, message)


def check(
    name: str, dtype: Any, shape: Sequence[int], specs: Mapping[str, Spec], rows: int
) -> None:
    """Raises RequestError where an input is not one of the signature's, or has too many rows."""
    if name not in specs:
        raise invalid(f"The inputs are {sorted(specs)}, and {name!r:.80} was given.")
    spec = specs[name]
    if dtype is None or np.dtype(dtype) != spec.dtype or len(shape) != len(spec.shape):
        raise invalid(f"The input {name} takes {_kind(spec)} of the shape {_written(spec.shape)}.")
    if any(wanted not in (None, side) for wanted, side in zip(spec.shape, shape, strict=True)):
        raise invalid(f"The input {name} has the shape {_written(spec.shape)}.")
    if not 1 <= shape[0] <= rows:
        raise invalid(f"A request has 1 to {rows} rows, and this one {shape[0]}.")


def _kind(spec: Spec) -> str:
    return "strings" if spec.dtype.kind == "O" else str(spec.dtype)


def _written(shape: Sequence[int | None]) -> str:
    return str([-1 if side is None else side for side in shape])


def from_rows(instances: Any, specs: Mapping[str, Spec]) -> Tensors:
    """Reads the row format: a list of objects, or of values where there is one input.

    Raises:
        RequestError: it is none, or does not fit the inputs.
    """
    if not isinstance(instances, list) or not instances:
        raise invalid("'instances' is not a list with at least one row.")
    if len(specs) == 1 and not any(_is_named(row) for row in instances):
        ((name, spec),) = specs.items()
        return {name: _array(name, instances, spec)}
    for row in instances:
        if not _is_named(row):
            raise invalid(f"A row of 'instances' is no object with the inputs {sorted(specs)}.")
        _check_names(row, specs)
    return {
        name: _array(name, [row[name] for row in instances], spec) for name, spec in specs.items()
    }


def from_columns(inputs: Any, specs: Mapping[str, Spec]) -> Tensors:
    """Reads the column format: an object of inputs, or the value where there is one input.

    Raises:
        RequestError: it does not fit the inputs.
    """
    if not _is_named(inputs):
        if len(specs) != 1:
            raise invalid(f"'inputs' is no object with the inputs {sorted(specs)}.")
        inputs = dict.fromkeys(specs, inputs)
    _check_names(inputs, specs)
    return {name: _array(name, inputs[name], spec) for name, spec in specs.items()}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _check_names(given: Mapping[str, Any], specs: Mapping[str, Spec]) -> None:
    if given.keys() != specs.keys():
        raise invalid(
            f"The inputs are {sorted(specs)}, and {len(given)} other or fewer names were given."
        )


def _array(name: str, value: Any, spec: Spec) -> np.ndarray:
    rank = len(spec.shape)
    sides: list[int] = []
    inner = value
    for _ in spec.shape:
        if not isinstance(inner, list) or not inner:
            raise invalid(f"The input {name} takes lists {rank} deep, none of them empty.")
        sides.append(len(inner))
        inner = inner[0]
    leaves: list[Any] = []
    _collect(name, value, sides, spec.dtype, leaves)
    array = np.empty(len(leaves), spec.dtype)
    try:
        array[:] = leaves
    except OverflowError as error:
        raise invalid(f"The input {name} holds a number that is no {spec.dtype}.") from error
    return array.reshape(sides)


def _collect(name: str, value: Any, sides: list[int], dtype: np.dtype, leaves: list[Any]) -> None:
    if not sides:
        leaves.append(_leaf(name, value, dtype))
        return
    if not isinstance(value, list) or len(value) != sides[0]:
        raise invalid(f"The input {name} holds lists of unequal length.")
    for inner in value:
        _collect(name, inner, sides[1:], dtype, leaves)


def _leaf(name: str, value: Any, dtype: np.dtype) -> Any:
    if dtype.kind == "O":
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if isinstance(value, dict) and isinstance(value.get("b64"), str) and len(value) == 1:
            return _from_base64(name, value["b64"])
    elif dtype.kind == "b":
        if isinstance(value, bool):
            return value
    elif not isinstance(value, bool):
        if isinstance(value, int) and abs(value) < 2**64:
            return value
        if isinstance(value, float) and dtype.kind == "f":
            return value
    kind = _kind(Spec(dtype, ()))
    raise invalid(f"The input {name} takes {kind}, and a {type(value).__name__} was given.")


def _from_base64(name: str, text: str) -> bytes:
    # As TensorFlow Serving has it, lines may be broken, and the signs that fill up the last four
    # be missing.
    text = "".join(text.split())
    text += "=" * (-len(text) % 4)
    try:
        if "=" in text[:-2]:
            raise ValueError("it ends before its end")
        # In parts: nothing else in the process runs while one is decoded.
        return b"".join(
            base64.b64decode(text[start : start + _BASE64_PART], validate=True)
            for start in range(0, len(text), _BASE64_PART)
        )
    except (binascii.Error, ValueError) as error:
        raise invalid(f"The input {name} holds a 'b64' that is no base64.") from error


def to_rows(outputs: Tensors) -> list[Any]:
    """Returns the row format: a list of objects, or of values where there is one output."""
    columns = {name: _plain(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        (rows,) = columns.values()
        return rows
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def to_columns(outputs: Tensors) -> Any:
    """Returns the column format: an object of outputs, or the value where there is one output."""
    columns = {name: _plain(name, array) for name, array in outputs.items()}
    return columns if len(columns) > 1 else next(iter(columns.values()))


def _plain(name: str, array: np.ndarray) -> Any:
    if array.dtype.kind == "O":
        return _texts(name, array.tolist())
    if array.dtype == np.float32:
        # The fewest digits that tell the number: 0.1 and not 0.10000000149011612.
        array = array.astype(str).astype(np.float64)
    return array.tolist()


def _texts(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(name, inner) for inner in value]
    if name.endswith(_BYTES_SUFFIX):
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")
