"""Whom a film is sent to: a server's REST or gRPC, or a model's folder on this machine."""

import base64
import ipaddress
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
import urllib3.util

from components.films.errors import FilmError
from components.films.headers import check_film
from components.shared.errors import InputError
from components.shared.features import (
    IMAGE_BYTES,
    LABEL_NAME,
    MODEL_VERSION,
    PROBABILITY,
    SIGNATURE_BYTES,
    THRESHOLD,
)
from components.shared.limits import LIMITS_FILE, FilmLimits, limits_of
from components.shared.text import visible
from components.shared.versions import GRAPH_FILE, local_versions
from serving.client.answers import Answer, answer_of
from serving.client.errors import ServerError
from serving.refusals import reason_of

DEFAULT_MODEL = "pneumonia"
# Of a film that is sent: what this machine bears. The model's own limits hold where it is.
_FAR = FilmLimits(min_side=1, max_aspect_ratio=1e9)
_RETRIES = 4
_BACKOFF_S = 0.5
# Busy, or behind a proxy whose server is away. A film may be asked for again: it changes nothing.
_RETRIED = (429, 502, 503, 504)
_OUTPUTS = (PROBABILITY, THRESHOLD, LABEL_NAME, MODEL_VERSION)
# Of an answer for one film, which is a few hundred bytes, and of what is shown of an error.
_LONGEST, _PART = 2**20, 2**16
_SHOWN = 300


class Server(Protocol):
    """What answers; of use to several threads at once.

    Attributes:
        limits: of the films that it is asked for; a server that is far may have others yet.
    """

    limits: FilmLimits

    def ask(self, film: bytes) -> Answer:
        """Returns the answer for the bytes of a JPEG or PNG.

        Raises:
            FilmError: the server refuses this film.
            ServerError: no film can be asked for.
        """


class RestServer:
    """TensorFlow Serving's REST interface."""

    def __init__(self, url: str, token: str | None, timeout_s: float, limits: FilmLimits) -> None:
        """Takes http(s)://HOST[:PORT][/v1/models/NAME[/versions/V]]."""
        self.limits = limits
        parts = urlsplit(url)
        path = parts.path.rstrip("/") or f"/v1/models/{DEFAULT_MODEL}"
        self._url = f"{parts.scheme}://{parts.netloc}{path}:predict"
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # What is meant for this machine goes to no proxy that the environment names.
        self._session.trust_env = not _is_loopback(parts.hostname)
        # What comes packed may be a thousand times as large.
        self._session.headers["Accept-Encoding"] = "identity"
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        retries = urllib3.util.Retry(
            total=_RETRIES,
            read=1,  # each waits for as long as an answer may take
            backoff_factor=_BACKOFF_S,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        adapter = requests.adapters.HTTPAdapter(max_retries=retries, pool_maxsize=64)
        self._session.mount(f"{parts.scheme}://", adapter)

    def ask(self, film: bytes) -> Answer:
        """Asks for one film; see `Server`."""
        row = {IMAGE_BYTES: {"b64": base64.b64encode(film).decode()}}
        body = {"signature_name": SIGNATURE_BYTES, "instances": [row]}
        try:
            status, content = self._post(body)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ServerError(
                f"{self._url} does not answer ({_innermost(error)}): is the server up?"
            ) from error
        if status in (400, 413):
            raise FilmError(f"was refused by the server: {_error(content)}")
        if status != 200:
            raise ServerError(f"{self._url} answers {status}: {_error(content)}.")
        try:
            (found,) = json.loads(content)["predictions"]
            values = [found[name] for name in _OUTPUTS]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ServerError(f"{self._url} answers otherwise than this model does.") from error
        return _checked(*values)

    def _post(self, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Returns the status and the body of the answer, which is bounded in length and time."""
        until = time.monotonic() + self._timeout_s
        with self._session.post(
            self._url, json=body, timeout=self._timeout_s, stream=True, allow_redirects=False
        ) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise ServerError(f"{self._url} answers packed, which it was not asked for.")
            content = b""
            while part := response.raw.read1(_PART, decode_content=False):
                content += part
                if len(content) > _LONGEST:
                    raise ServerError(f"{self._url} answers with more than {_LONGEST} bytes.")
                if time.monotonic() > until:
                    raise ServerError(f"{self._url} does not end its answer.")
            return response.status_code, content


def _checked(*values: Any) -> Answer:
    """Returns the answer of these outputs, see `_OUTPUTS`."""
    try:
        return answer_of(*values)
    except ValueError as error:
        raise FilmError(f"has no usable answer: {error}") from error


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host is not None and (host == "localhost" or host.endswith(".localhost"))


def _innermost(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__


def _error(content: bytes) -> str:
    """Returns the message in the form of TensorFlow Serving's errors, short."""
    try:
        text = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = content[: 4 * _SHOWN].decode("utf-8", "replace")
    return _short(text) or "nothing"


def _short(text: str) -> str:
    return visible(" ".join(text.split())[:_SHOWN])


class GrpcServer:
    """TensorFlow Serving's gRPC PredictionService."""

    def __init__(self, url: str, token: str | None, timeout_s: float, limits: FilmLimits) -> None:
        """Takes grpc://HOST:PORT[/NAME]."""
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.limits = limits
        parts = urlsplit(url)
        policy = {
            "maxAttempts": _RETRIES + 1,
            "initialBackoff": f"{_BACKOFF_S}s",
            "maxBackoff": "8s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
        self._url, self._timeout_s = url, timeout_s
        self._model = parts.path.strip("/") or DEFAULT_MODEL
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        channel = grpc.insecure_channel(
            parts.netloc,
            options=[
                ("grpc.service_config", json.dumps(config)),
                ("grpc.enable_http_proxy", int(not _is_loopback(parts.hostname))),
            ],
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(self, film: bytes) -> Answer:
        """Asks for one film; see `Server`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = SIGNATURE_BYTES
        request.inputs[IMAGE_BYTES].CopyFrom(tf.make_tensor_proto([film]))
        try:
            found = self._stub.Predict(
                request, timeout=self._timeout_s, metadata=self._metadata
            ).outputs
        except grpc.RpcError as error:
            details = _short(str(error.details()))
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                raise FilmError(f"was refused by the server: {details}") from error
            raise ServerError(f"{self._url} answers {error.code().name}: {details}.") from error
        try:
            values = [_only(found[name]) for name in _OUTPUTS]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"{self._url} answers otherwise than this model does.") from error
        return _checked(*values)


def _only(tensor: Any) -> Any:
    """Returns the value of a tensor of one row.

    Raises:
        ValueError: it has another shape, as which it may be far larger than the message.
    """
    import tensorflow as tf

    if [dimension.size for dimension in tensor.tensor_shape.dim] != [1]:
        raise ValueError("not one row")
    value = tf.make_ndarray(tensor)[0]
    return value.decode() if isinstance(value, bytes) else value.item()


def _version_folder(folder: Path) -> Path:
    """Returns the folder itself where it is a version, else that of the newest in it."""
    if (folder / GRAPH_FILE).is_file():
        return folder
    versions = local_versions(folder) if folder.is_dir() else []
    if not versions:
        raise InputError(f"--model {folder} holds no SavedModel and no whole version of one.")
    return folder / versions[-1]


class LocalModel:
    """The newest version in a pushed model's folder, or one version's folder, in this process."""

    def __init__(self, folder: Path) -> None:
        """Loads the model.

        Raises:
            InputError: there is none.
        """
        version = _version_folder(folder)
        try:
            self.limits = limits_of(version)
        except ValueError as error:
            raise InputError(f"{version / LIMITS_FILE} holds no limits of films.") from error
        import tensorflow as tf

        self._loaded: Any = tf.saved_model.load(str(version))
        if SIGNATURE_BYTES not in self._loaded.signatures:
            raise InputError(f"--model {folder}: the model has no signature {SIGNATURE_BYTES}.")

    def ask(self, film: bytes) -> Answer:
        """Asks for one film; see `Server`."""
        import tensorflow as tf

        check_film(film, self.limits)
        serve = self._loaded.signatures[SIGNATURE_BYTES]
        try:
            found = serve(**{IMAGE_BYTES: tf.constant([film])})
        except tf.errors.InvalidArgumentError as error:
            reason = reason_of(error.message)
            raise FilmError(f"was refused by the model: {reason}") from error
        return _checked(
            float(found[PROBABILITY][0]),
            float(found[THRESHOLD][0]),
            found[LABEL_NAME][0].numpy().decode(),
            found[MODEL_VERSION][0].numpy().decode(),
        )


def connect(
    url: str, token: str | None = None, timeout_s: float = 60.0, *, adults: bool = False
) -> Server:
    """Returns the server of an address; nothing is sent yet.

    Args:
        url: http(s)://HOST[:PORT][/v1/models/NAME[/versions/V]] or grpc://HOST:PORT[/NAME].
        token: sent as a bearer token.
        timeout_s: of one request.
        adults: whether DICOM films of adults are sent, which the server is sent without their tags.

    Raises:
        InputError: it is no such address.
    """
    parts, limits = urlsplit(url), _FAR.changed(adults=adults)
    if parts.netloc and parts.scheme in ("http", "https"):
        return RestServer(url, token, timeout_s, limits)
    if parts.netloc and parts.scheme == "grpc":
        return GrpcServer(url, token, timeout_s, limits)
    raise InputError(
        f"--server {url} is neither http://HOST:PORT, https://HOST:PORT nor grpc://HOST:PORT."
    )
