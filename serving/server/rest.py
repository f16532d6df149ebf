"""TensorFlow Serving's REST interface."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.server.guard import read_body
from serving.server.messages import message_to_dict
from serving.server.service import Service
from serving.server.tensors import (
    Spec,
    Tensors,
    from_columns,
    from_rows,
    invalid,
    to_columns,
    to_rows,
)
from serving.server.versions import State

_MODEL = "/v1/models/{model}"
_VERSION = "/versions/{version}"
_LABEL = "/labels/{label}"
_DIGITS = 19  # of the largest version
# google.rpc.Code
_CODES = {0: "OK", 2: "UNKNOWN"}


class Rest:
    """The endpoints under /v1/models."""

    def __init__(self, service: Service) -> None:
        """Takes what answers."""
        self._service = service

    def routes(self) -> list[Route]:
        """Returns the paths; the more special first, since a name may hold anything but slashes."""
        paths = (_MODEL + _LABEL, _MODEL + _VERSION, _MODEL)
        return [
            *(Route(path + ":predict", self.predict, methods=["POST"]) for path in paths),
            *(
                Route(f"{path}:{method}", self.no_such_method, methods=["POST"])
                for path in paths
                for method in ("classify", "regress")
            ),
            *(Route(path + "/metadata", self.metadata, methods=["GET"]) for path in paths),
            *(Route(path, self.status, methods=["GET"]) for path in paths),
        ]

    async def predict(self, request: Request) -> Response:
        """POST .../models/NAME[/versions/V]:predict."""
        name, number = _asked(request)
        with self._service.bodies.room() as room:
            body = await read_body(request, room, self._service.limits)
            content = await run_in_threadpool(_parsed, body)
            del body  # the films are in what was read of it
            return await self._answer(name, number, content)

    async def _answer(self, name: str, number: int | None, content: dict[str, Any]) -> Response:
        signature = content.get("signature_name", "")
        if not isinstance(signature, str):
            raise invalid("'signature_name' is no string.")
        rows = "instances" in content
        if rows == ("inputs" in content):
            raise invalid("A request has either 'instances' or 'inputs'.")

        def read(specs: Mapping[str, Spec]) -> Tensors:
            if rows:
                return from_rows(content.pop("instances"), specs)
            return from_columns(content.pop("inputs"), specs)

        with self._service.hold(name, number) as version:
            outputs = await self._service.predict(version, signature, read)
        return _json(
            {"predictions": to_rows(outputs)} if rows else {"outputs": to_columns(outputs)}
        )

    async def no_such_method(self, request: Request) -> Response:
        """POST ...:classify and ...:regress, which no signature of these models speaks."""
        _asked(request)
        method = request.scope["path"].rpartition(":")[2]
        raise invalid(f"Expected {method} signature; the model's signatures are for predict.")

    async def metadata(self, request: Request) -> Response:
        """GET .../models/NAME[/versions/V]/metadata."""
        name, number = _asked(request)
        with self._service.hold(name, number) as version:
            signatures = get_model_metadata_pb2.SignatureDefMap(
                signature_def=version.servable.model.signature_defs
            )
            spec = {"name": name, "signature_name": "", "version": str(version.number)}
            return _json(
                {"model_spec": spec, "metadata": {"signature_def": message_to_dict(signatures)}}
            )

    async def status(self, request: Request) -> Response:
        """GET .../models/NAME[/versions/V]."""
        found = self._service.state(*_asked(request))
        return _json(
            {"model_version_status": [_status(number, state) for number, state in found.items()]}
        )


def _asked(request: Request) -> tuple[str, int | None]:
    """Returns the model's name and the version, if one is asked for."""
    given = request.path_params
    if "label" in given:
        raise invalid(f"Unrecognized servable version label: {given['label']}")
    digits = given.get("version")
    if digits is None:
        return given["model"], None
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS:
        raise invalid("Failed to convert version to numeric.")
    return given["model"], int(digits)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        # The message of the parser would hold some of the film.
        raise invalid("JSON Parse error: the body is no JSON.") from error
    if not isinstance(content, dict):
        raise invalid("The body is no JSON object.")
    return content


def _status(number: int, state: State) -> dict[str, Any]:
    status = {"error_code": _CODES[state.code], "error_message": state.message}
    return {"version": str(number), "state": state.name, "status": status}


def _json(content: Any) -> Response:
    # As TensorFlow Serving has it: what is not a finite number is written as NaN and Infinity.
    return Response(json.dumps(content), media_type="application/json")
