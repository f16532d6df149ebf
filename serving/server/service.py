"""What every interface asks: the model of the day, for a batch of films."""

import asyncio
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf
from starlette.concurrency import run_in_threadpool

from components.shared.features import EXAMPLES, IMAGE, IMAGE_BYTES, SIGNATURE_BYTES
from components.shared.limits import FilmLimits
from serving.server.batching import Batcher
from serving.server.bodies import Bodies
from serving.server.errors import Refusal, RequestError
from serving.server.limits import Limits, check_films
from serving.server.metrics import Metrics
from serving.server.model import Model
from serving.server.tensors import Spec, Tensors, check, invalid
from serving.server.versions import Held, State, Versions


class Served:
    """A version with what puts its requests together."""

    def __init__(self, model: Model, batcher: Batcher) -> None:
        """Takes both."""
        self.model, self.batcher = model, batcher

    def close(self) -> None:
        """Ends the batcher's thread, after what it was given."""
        self.batcher.close()


class Service:
    """The model in service; to be used from one event loop.

    Attributes:
        name: of the model, which is that of its folder.
        folder: of its versions.
        limits: of what a request may ask.
        bodies: that are held.
        metrics: that are kept.
        versions: of the model; nothing is served before they are started.
    """

    def __init__(self, folder: Path, token: str | None, limits: Limits) -> None:
        """Takes the folder of versions, and the token that requests must bear, if any."""
        self.name, self.folder, self.limits = folder.name, folder, limits
        self.bodies = Bodies(limits.held_bytes)
        self.metrics = Metrics()
        self._token = token
        self._under_way = 0
        self.versions = Versions(folder, self._load)

    def _load(self, path: Path) -> Served:
        model = Model(path)
        return Served(model, Batcher(model.run, self.limits.batch, self.metrics.batch))

    @property
    def asks_token(self) -> bool:
        """Whether requests must bear a token."""
        return self._token is not None

    def check_token(self, authorization: str | None) -> None:
        """Looks at the header Authorization.

        Raises:
            RequestError: a token is asked for, and it bears another or none.
        """
        wanted = f"Bearer {self._token}".encode()
        given = (authorization or "").encode("utf-8", "surrogateescape")
        if self._token is not None and not hmac.compare_digest(given, wanted):
            raise RequestError(
                Refusal.UNAUTHENTICATED,
                "The header Authorization does not bear this server's token.",
            )

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request that is under way.

        Raises:
            RequestError: too many are.
        """
        if self._under_way >= self.limits.requests:
            raise RequestError(
                Refusal.BUSY, f"{self._under_way} requests are under way: ask again later."
            )
        self._under_way += 1
        self.metrics.under_way(self._under_way)
        try:
            yield
        finally:
            self._under_way -= 1
            self.metrics.under_way(self._under_way)

    @contextmanager
    def hold(self, name: str, number: int | None = None) -> Iterator[Held[Served]]:
        """Keeps a version from being freed.

        Raises:
            RequestError: there is no such model, or the version is not served.
        """
        with ExitStack() as stack:
            try:
                if name != self.name:
                    raise LookupError(name)
                version = stack.enter_context(self.versions.hold(number))
            except LookupError as error:
                what = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise RequestError(
                    Refusal.NOT_FOUND, f"Servable not found for request: {what}"
                ) from error
            yield version

    def state(self, name: str, number: int | None) -> dict[int, State]:
        """Returns the state of one version, or of each that is known.

        Raises:
            RequestError: there is no such model or version.
        """
        states = self.versions.states() if name == self.name else {}
        found = {key: state for key, state in states.items() if number in (None, key)}
        if not found:
            which = "any versions" if number is None else f"version {number}"
            raise RequestError(Refusal.NOT_FOUND, f"Could not find {which} of model {name}")
        return found

    async def predict(
        self, version: Held[Served], signature: str, read: Callable[[Mapping[str, Spec]], Tensors]
    ) -> Tensors:
        """Runs a signature, together with what others ask at the time.

        Args:
            version: that is held meanwhile, see `hold`.
            signature: empty means `serving_default`.
            read: returns the inputs for what the signature takes; called in another thread.

        Returns:
            The outputs by name, a row for each film.

        Raises:
            RequestError: the request does not fit, or there is no answer in time.
        """
        signature = signature or SIGNATURE_BYTES
        model = version.servable.model
        specs = model.inputs(signature)
        if specs is None:
            raise invalid(f'Serving signature name: "{signature}" not found in signature def')
        # In a thread: films are large, and others are to be answered meanwhile.
        inputs = await run_in_threadpool(self._read, read, specs, model.limits)
        future = version.servable.batcher.submit(signature, inputs)
        try:
            outputs = await asyncio.wait_for(asyncio.wrap_future(future), self.limits.seconds)
        except asyncio.TimeoutError as error:
            raise RequestError(
                Refusal.TIMEOUT, f"There was no answer within {self.limits.seconds:g} s."
            ) from error
        self.metrics.films(version.number, outputs)
        return outputs

    def _read(
        self,
        read: Callable[[Mapping[str, Spec]], Tensors],
        specs: Mapping[str, Spec],
        limits: FilmLimits,
    ) -> Tensors:
        inputs = read(specs)
        if inputs.keys() != specs.keys():
            raise invalid(f"The inputs are {sorted(specs)}.")
        for name, array in inputs.items():
            check(name, array.dtype, array.shape, specs, self.limits.films)
        if len({len(array) for array in inputs.values()}) != 1:
            raise invalid("The inputs do not have the same number of rows.")
        check_films(_films(inputs), limits)
        return inputs


def _films(inputs: Tensors) -> list[bytes]:
    if IMAGE_BYTES in inputs:
        return inputs[IMAGE_BYTES].ravel().tolist()
    return [film for example in inputs.get(EXAMPLES, []) for film in _example_films(example)]


def _example_films(example: bytes) -> Any:
    try:
        feature = tf.train.Example.FromString(example).features.feature
    except Exception as error:  # protobuf has its own
        raise invalid("An example is no serialized tf.train.Example.") from error
    return feature[IMAGE].bytes_list.value
