"""A model whose probability is a film's mean grey level, and a server of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import requests
import tensorflow as tf

from components.shared.limits import LIMITS_FILE, FilmLimits
from serving.server import backends
from serving.server.application import Server, Settings
from serving.server.limits import Limits

THRESHOLD = 0.5
LOCAL = backends.Address("127.0.0.1", 0, 0)
_LIMITS = Limits()
# Tests' films are tiny.
FILMS = FilmLimits(min_side=1)
_BYTES = [tf.TensorSpec([None], tf.string, name="image_bytes")]


class MeanGrey(tf.Module):
    """The probability is the mean grey level, 0 to 1, plus `shift`."""

    def __init__(self, version: str, shift: float = 0.0) -> None:
        super().__init__()
        self._version, self._shift = version, shift

    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = self._shift + tf.map_fn(
            lambda film: (
                tf.reduce_mean(
                    tf.cast(tf.io.decode_image(film, 1, expand_animations=False), tf.float32)
                )
                / 255.0
            ),
            image_bytes,
            fn_output_signature=tf.float32,
        )
        return {
            "probability": probability,
            "threshold": tf.fill(tf.shape(probability), THRESHOLD),
            "label": tf.where(probability >= THRESHOLD, "PNEUMONIA", "NORMAL"),
            "model_version": tf.fill(tf.shape(probability), self._version),
        }

    def by_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        return self.serve(tf.io.parse_example(examples, spec)["image"])

    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = self.serve(image_bytes)
        heat = tf.ones([2, 2])[tf.newaxis] * answer["probability"][:, tf.newaxis, tf.newaxis]
        return {**answer, "heatmap": heat, "seen_bytes": tf.identity(image_bytes)}


def save(
    folder: Path,
    version: int,
    *,
    shift: float = 0.0,
    explains: bool = True,
    limits: FilmLimits | None = FILMS,
) -> Path:
    """Writes a version into the folder, whole or not at all; its limits, where it says some."""
    model = MeanGrey(str(version), shift)
    examples = [tf.TensorSpec([None], tf.string, name="examples")]
    signatures = {
        "serving_default": tf.function(model.serve, input_signature=_BYTES),
        "serving_examples": tf.function(model.by_examples, input_signature=examples),
    }
    if explains:
        signatures["explain"] = tf.function(model.explain, input_signature=_BYTES)
    staging = folder.parent / f".incoming-{version}"
    tf.saved_model.save(model, str(staging), signatures=signatures)
    if limits:
        (staging / LIMITS_FILE).parent.mkdir()
        (staging / LIMITS_FILE).write_text(limits.model_dump_json())
    folder.mkdir(parents=True, exist_ok=True)
    return staging.rename(folder / str(version))


def png(level: int, height: int = 4, width: int = 6) -> bytes:
    """A film whose every pixel is so bright, 0 to 255."""
    return bytes(cv2.imencode(".png", np.full((height, width), level, np.uint8))[1])


def jpeg(level: int) -> bytes:
    return bytes(cv2.imencode(".jpeg", np.full((40, 48), level, np.uint8))[1])


def wait_until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Address(NamedTuple):
    """Where a server listens: of HTTP the address, of gRPC host and port."""

    http: str
    grpc: str


@contextmanager
def serving(
    folder: Path, *, token: str | None = None, limits: Limits = _LIMITS
) -> Iterator[Address]:
    """Runs a server of the folder in a thread; a version is served when it is given."""
    ports: list[int] = []
    started = threading.Event()

    def note(port: int, grpc_port: int) -> None:
        ports.extend((port, grpc_port))
        started.set()

    server = Server(Settings(folder, LOCAL, token, limits))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(note)))
    thread.start()
    try:
        assert started.wait(60)
        http, grpc = ports
        address = Address(f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}")
        wait_until(lambda: requests.get(f"{address.http}/readyz", timeout=9).status_code == 200)
        yield address
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()
