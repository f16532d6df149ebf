"""What Prometheus is told."""

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from components.shared.features import LABEL_NAME, MODEL_VERSION
from serving.server.tensors import Tensors

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
_ROWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The server's counters; of use to several threads."""

    def __init__(self) -> None:
        """Starts at nothing."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "cxr_requests", "Requests answered.", ("api", "call", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "cxr_request_seconds",
            "From a request's first byte to its answer.",
            ("api", "call"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "cxr_batch_films", "Films of a run.", buckets=_ROWS, registry=self._registry
        )
        self._films = Counter(
            "cxr_films",
            "Films read; the positives are those of the label PNEUMONIA.",
            (MODEL_VERSION, LABEL_NAME),
            registry=self._registry,
        )
        self._under_way = Gauge(
            "cxr_requests_under_way", "Requests without an answer yet.", registry=self._registry
        )

    def request(self, api: str, call: str, status: str, seconds: float) -> None:
        """Counts a request that has been answered.

        Args:
            api: rest or grpc.
            call: what was asked for; of a few words that the server knows.
            status: of HTTP or gRPC.
            seconds: that it took.
        """
        self._requests.labels(api, call, status).inc()
        self._seconds.labels(api, call).observe(seconds)

    def batch(self, rows: int) -> None:
        """Counts a run of the model."""
        self._batches.observe(rows)

    def films(self, version: int, outputs: Tensors) -> None:
        """Counts what films were said to be."""
        labels, counts = np.unique(outputs.get(LABEL_NAME, []), return_counts=True)
        for label, count in zip(labels, counts, strict=True):
            self._films.labels(version, label.decode("utf-8", "replace")).inc(int(count))

    def under_way(self, number: int) -> None:
        """Notes how many requests are under way."""
        self._under_way.set(number)

    def text(self) -> bytes:
        """Returns all of it in Prometheus' text format."""
        return generate_latest(self._registry)
