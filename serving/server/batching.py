"""Requests that come while the model runs are answered together by its next run."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from serving.server.errors import Refusal, RequestError
from serving.server.tensors import Tensors

# Takes a signature and its inputs; raises RequestError where the inputs are to blame.
Run = Callable[[str, Tensors], Tensors]
# After a run the next one waits this share of its time for those who were just answered, so that
# clients that ask again at once are answered together and not in two halves.
_LINGER = 1 / 20


@dataclass
class _Request:
    signature: str
    inputs: Tensors
    answer: "Future[Tensors]" = field(default_factory=Future)

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def kind(self) -> tuple[object, ...]:
        """Requests of one kind can be put together."""
        forms = {name: (array.dtype, array.shape[1:]) for name, array in self.inputs.items()}
        return (self.signature, *sorted(forms.items()))


class Batcher:
    """Runs a model in a thread of its own, one batch after the other.

    An idle model runs at once. What comes meanwhile waits, and is put together: requests of the
    same signature, in the order in which they came, up to `max_rows`. A request is never split.
    """

    def __init__(self, run: Run, max_rows: int, observe: Callable[[int], None]) -> None:
        """Takes what runs the model, the most rows of a batch, and what hears of each batch."""
        self._run, self._max_rows, self._observe = run, max_rows, observe
        self._changed = threading.Condition()
        self._waiting: list[_Request] = []
        self._closed = False
        # How many rows may be expected soon, and until when they are waited for.
        self._expected, self._until = 0, 0.0
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, signature: str, inputs: Tensors) -> "Future[Tensors]":
        """Hands in a request.

        Args:
            signature: of the model.
            inputs: by name, each with the same number of rows, at least one.

        Returns:
            The outputs to be, with as many rows.
        """
        request = _Request(signature, inputs)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(request)
            self._changed.notify()
        return request.answer

    def close(self) -> None:
        """Answers what was handed in, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            started = time.monotonic()
            self._answer(batch)
            ended = time.monotonic()
            with self._changed:
                rows = sum(request.rows for request in batch)
                self._expected = rows + sum(request.rows for request in self._waiting)
                self._until = ended + _LINGER * (ended - started)
            del batch  # or it would keep its films until the next one is there

    def _next(self) -> list[_Request]:
        """Waits for a batch; it is empty when there will be none."""
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                self._linger()
                if batch := self._take():
                    return batch
                if self._closed and not self._waiting:
                    return []

    def _linger(self) -> None:
        wanted = min(self._expected, self._max_rows)
        while sum(request.rows for request in self._waiting) < wanted and not self._closed:
            left = self._until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _take(self) -> list[_Request]:
        batch: list[_Request] = []
        left: list[_Request] = []
        rows = 0
        for request in self._waiting:
            fits = not batch or (
                request.kind == batch[0].kind and rows + request.rows <= self._max_rows
            )
            if not fits:
                left.append(request)
            elif request.answer.set_running_or_notify_cancel():
                batch.append(request)
                rows += request.rows
        self._waiting = left
        return batch

    def _answer(self, batch: list[_Request]) -> None:
        """Runs the batch; where it fails each half of it, so that a bad request fails alone."""
        try:
            answers = self._together(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            middle = len(batch) // 2
            self._answer(batch[:middle])
            self._answer(batch[middle:])
            return
        for request, answer in zip(batch, answers, strict=True):
            request.answer.set_result(answer)

    def _together(self, batch: list[_Request]) -> list[Tensors]:
        rows = [request.rows for request in batch]
        inputs = {
            name: np.concatenate([request.inputs[name] for request in batch])
            for name in batch[0].inputs
        }
        self._observe(sum(rows))
        outputs = self._run(batch[0].signature, inputs)
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != sum(rows):
                raise RequestError(
                    Refusal.INTERNAL,
                    f"The model's output {name} has the shape {array.shape} for {sum(rows)} rows.",
                )
        ends = np.cumsum(rows)
        return [
            {name: array[end - count : end] for name, array in outputs.items()}
            for end, count in zip(ends, rows, strict=True)
        ]
