"""The REST interface, described in OpenAPI 3."""

from typing import Any

from components.shared.features import (
    CLASSES,
    EXAMPLES,
    HEATMAP,
    IMAGE_BYTES,
    LABEL_NAME,
    MODEL_VERSION,
    PROBABILITY,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    SIGNATURE_EXPLAIN,
    THRESHOLD,
)

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_BASE64: Schema = {
    "type": "object",
    "required": ["b64"],
    "additionalProperties": False,
    "properties": {"b64": {"type": "string", "format": "byte"}},
}
_VALUE: Schema = {"oneOf": [_BASE64, _TEXT]}
_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {"error": _TEXT},
}
_REFUSALS = ("400", "401", "404", "405", "408", "413", "421", "429")


def description(model: str) -> Schema:
    """Returns the description of a server of the model with this name."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Second reader for pneumonia",
            "version": "1",
            "description": "TensorFlow Serving's REST interface, and the page's endpoints. "
            "Decision support, not a medical device.",
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
        "paths": {**_model_paths(model), **_page_paths()},
    }


def _model_paths(model: str) -> Schema:
    paths: Schema = {}
    for suffix, parameters in (("", []), ("/versions/{version}", [_version()])):
        path = f"/v1/models/{{model}}{suffix}"
        given = [_parameter("model", {"type": "string", "enum": [model]}), *parameters]
        paths[path] = _with(given, get=_operation("State of the versions.", _object()))
        paths[f"{path}/metadata"] = _with(
            given, get=_operation("The signatures.", _object("model_spec", "metadata"))
        )
        paths[f"{path}:predict"] = _with(
            given, post=_operation("Reads films.", _predicted(), _json(_request()))
        )
    return paths


def _page_paths() -> Schema:
    film = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "/readings": {"post": _operation("Reads one JPEG, PNG or DICOM film.", _reading(), film)},
        "/about": {"get": _operation("The model that is served.", _object("model", "version"))},
        "/report": {"get": _operation("The report of its run.", None, kind="text/html")},
        "/healthz": {"get": _operation("The process answers.", _object("status"))},
        "/readyz": {"get": _operation("A version is served.", _object("status"))},
        "/openapi.json": {"get": _operation("This description.", _object("paths"))},
        "/monitoring/prometheus/metrics": {
            "get": _operation("Prometheus' metrics.", None, kind="text/plain")
        },
    }


def _version() -> Schema:
    return _parameter("version", {"type": "string", "pattern": "^[0-9]{1,18}$"})


def _parameter(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _with(parameters: list[Schema], **operations: Schema) -> Schema:
    return {"parameters": parameters, **operations}


def _operation(
    summary: str, answer: Schema | None, body: Schema | None = None, kind: str = "application/json"
) -> Schema:
    content = {kind: {"schema": answer or _TEXT}}
    return {
        "summary": summary,
        **({"requestBody": {"required": True, "content": body}} if body else {}),
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **{
                status: {"description": "Refused.", "content": _json(_ERROR)}
                for status in _REFUSALS
            },
        },
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _object(*required: str, properties: Schema | None = None) -> Schema:
    return {
        "type": "object",
        **({"required": list(required)} if required else {}),
        **({"properties": properties} if properties else {}),
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _request() -> Schema:
    signatures = [SIGNATURE_BYTES, SIGNATURE_EXAMPLES, SIGNATURE_EXPLAIN]
    signature = {"type": "string", "enum": signatures}
    rows = [_object(name, properties={name: _VALUE}) for name in (IMAGE_BYTES, EXAMPLES)]
    columns = [_object(name, properties={name: _array(_VALUE)}) for name in (IMAGE_BYTES, EXAMPLES)]
    instances = _array({"oneOf": [*rows, *_VALUE["oneOf"]]})
    inputs = {"oneOf": [*columns, _array(_VALUE)]}
    return {
        "oneOf": [
            _object("instances", properties={"instances": instances, "signature_name": signature}),
            _object("inputs", properties={"inputs": inputs, "signature_name": signature}),
        ]
    }


def _predicted() -> Schema:
    # One row of `predictions`; `outputs` holds a list of each instead.
    row = _object(
        PROBABILITY,
        THRESHOLD,
        LABEL_NAME,
        MODEL_VERSION,
        properties={
            PROBABILITY: {"type": "number"},
            THRESHOLD: {"type": "number"},
            LABEL_NAME: {"type": "string", "enum": list(CLASSES)},
            MODEL_VERSION: _TEXT,
        },
    )
    return {
        "oneOf": [
            _object("predictions", properties={"predictions": _array(row)}),
            _object("outputs", properties={"outputs": {"type": "object"}}),
        ]
    }


def _reading() -> Schema:
    return _object(
        PROBABILITY,
        THRESHOLD,
        LABEL_NAME,
        MODEL_VERSION,
        HEATMAP,
        "seen",
        "film",
        properties={
            PROBABILITY: {"type": "number"},
            LABEL_NAME: {"type": "string", "enum": list(CLASSES)},
            HEATMAP: {"type": "array", "nullable": True, "items": _array({"type": "number"})},
            "seen": {"type": "string", "nullable": True},
            "film": {"type": "string", "nullable": True},
        },
    )
