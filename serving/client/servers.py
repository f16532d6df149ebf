"""Whom a film is sent to: a server's REST or gRPC, or a model's folder on this machine."""

import base64
import ipaddress
import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import requests
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
from components.shared.versions import GRAPH_FILE, local_versions
from serving.client.errors import ServerError
from serving.refusals import reason_of

DEFAULT_MODEL = "pneumonia"
# Of a film that is sent: what this machine bears. The model's own limits hold where it is.
_FAR = FilmLimits(min_side=1, max_aspect_ratio=1e9)
_RETRIES = 4
_BACKOFF_S = 0.5
# Busy, or behind a proxy whose server is away. A film may be asked for again: it changes nothing.
_RETRIED = (429, 502, 503, 504)


class Answer(NamedTuple):
    """What the model says of one film."""

    probability: float
    threshold: float
    label: str
    model_version: str


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
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        retries = urllib3.util.Retry(
            total=_RETRIES,
            backoff_factor=_BACKOFF_S,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            raise_on_status=False,
        )
        adapter = requests.adapters.HTTPAdapter(max_retries=retries, pool_maxsize=64)
        self._session.mount(f"{parts.scheme}://", adapter)

    def ask(self, film: bytes) -> Answer:
        """Asks for one film; see `Server`."""
        row = {IMAGE_BYTES: {"b64": base64.b64encode(film).decode()}}
        body = {"signature_name": SIGNATURE_BYTES, "instances": [row]}
        try:
            response = self._session.post(self._url, json=body, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise ServerError(
                f"{self._url} does not answer ({_innermost(error)}): is the server up?"
            ) from error
        if response.status_code in (400, 413):
            raise FilmError(f"was refused by the server: {_error(response)}")
        if response.status_code != 200:
            raise ServerError(f"{self._url} answers {response.status_code}: {_error(response)}.")
        try:
            (found,) = response.json()["predictions"]
            return Answer(
                float(found[PROBABILITY]),
                float(found[THRESHOLD]),
                str(found[LABEL_NAME]),
                str(found[MODEL_VERSION]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"{self._url} answers otherwise than this model does.") from error


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host is not None and (host == "localhost" or host.endswith(".localhost"))


def _innermost(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__


def _error(response: requests.Response) -> str:
    """Returns the message in the form of TensorFlow Serving's errors, on one line, short."""
    try:
        text = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        text = response.text or response.reason
    return " ".join(text.split())[:300]


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
            details = " ".join(str(error.details()).split())[:300]
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                raise FilmError(f"was refused by the server: {details}") from error
            raise ServerError(f"{self._url} answers {error.code().name}: {details}.") from error
        probability, threshold, label, version = (
            tf.make_ndarray(found[name])[0]
            for name in (PROBABILITY, THRESHOLD, LABEL_NAME, MODEL_VERSION)
        )
        return Answer(float(probability), float(threshold), label.decode(), version.decode())


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
        return Answer(
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
