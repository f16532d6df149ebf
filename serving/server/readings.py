"""What the page asks: one film as it is, in; what the model says of it, out."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from components.films import dicom
from components.films.errors import FilmError
from components.shared.features import (
    HEATMAP,
    IMAGE_BYTES,
    LABEL_NAME,
    MODEL_VERSION,
    PROBABILITY,
    SEEN_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_EXPLAIN,
    THRESHOLD,
)
from components.shared.limits import FilmLimits
from serving.server.decoder import Decoder
from serving.server.guard import read_body
from serving.server.service import Served, Service
from serving.server.tensors import invalid
from serving.server.versions import Held


class Readings:
    """The endpoint /readings."""

    def __init__(self, service: Service, decoder: Decoder) -> None:
        """Takes what answers, and what decodes DICOM."""
        self._service, self._decoder = service, decoder

    async def read(self, request: Request) -> Response:
        """POST /readings, the bytes of a JPEG, PNG or DICOM file."""
        service = self._service
        with service.bodies.room() as room, service.hold(service.name) as version:
            film = await read_body(request, room, service.limits)
            converted = dicom.is_dicom(film)
            if converted:
                film = await self._from_dicom(film, version.servable.model.limits)
                room.take(len(film))
            outputs = await self._ask(version, film)
        return JSONResponse(
            {
                PROBABILITY: float(outputs[PROBABILITY]),
                THRESHOLD: float(outputs[THRESHOLD]),
                LABEL_NAME: outputs[LABEL_NAME].decode(),
                MODEL_VERSION: outputs[MODEL_VERSION],
                HEATMAP: outputs[HEATMAP].tolist() if HEATMAP in outputs else None,
                "seen": _text(outputs[SEEN_BYTES]) if SEEN_BYTES in outputs else None,
                # What a browser cannot show by itself.
                "film": _text(film) if converted else None,
            }
        )

    async def _from_dicom(self, film: bytes, limits: FilmLimits) -> bytes:
        try:
            return await self._decoder.to_png(film, limits)
        except FilmError as error:
            raise invalid(f"The film {error}.") from error

    async def _ask(self, version: Held[Served], film: bytes) -> Mapping[str, Any]:
        """Returns the outputs for one film."""
        signature = SIGNATURE_EXPLAIN if version.servable.model.explains else SIGNATURE_BYTES
        inputs = {IMAGE_BYTES: np.array([film], object)}
        outputs = await self._service.predict(version, signature, lambda _: inputs)
        rows = {name: array[0] for name, array in outputs.items()}
        return {**rows, MODEL_VERSION: str(version.number)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
