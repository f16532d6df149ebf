import threading
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from serving.server import batching
from serving.server.batching import Batcher
from serving.server.errors import Refusal, RequestError
from serving.server.tensors import Tensors


class Doubler:
    """A model that doubles numbers, and waits in each run until it is let go."""

    def __init__(self) -> None:
        self.running, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.runs: list[tuple[str, list[int]]] = []
        self.sizes: list[int] = []
        self.batcher = Batcher(self.run, 4, self.sizes.append)

    def run(self, signature: str, inputs: Tensors) -> Tensors:
        self.runs.append((signature, inputs["x"].ravel().tolist()))
        self.running.release()
        assert self.go_on.acquire(timeout=20)
        if -1 in inputs["x"]:
            raise RequestError(Refusal.INVALID, "no -1")
        if signature == "scalar":
            return {"y": np.array(0)}
        return {"y": 2 * inputs["x"]}

    def ask(self, *numbers: int, signature: str = "double") -> "Future[Tensors]":
        return self.batcher.submit(signature, {"x": np.array(numbers)})

    def hold(self) -> "Future[Tensors]":
        """Asks for 0, and returns when the model works on it."""
        first = self.ask(0)
        assert self.running.acquire(timeout=20)
        return first

    def release(self, runs: int = 99) -> None:
        for _ in range(runs):
            self.go_on.release()


@pytest.fixture
def model() -> Iterator[Doubler]:
    model = Doubler()
    yield model
    model.release()
    model.batcher.close()


def answers(*futures: "Future[Tensors]") -> list[list[int]]:
    return [future.result(20)["y"].tolist() for future in futures]


def test_an_idle_model_runs_at_once_and_the_next_run_takes_what_came_meanwhile(
    model: Doubler,
) -> None:
    first = model.hold()
    later = [model.ask(1), model.ask(2, 3)]
    model.release()
    assert answers(first, *later) == [[0], [2], [4, 6]]
    assert [rows for _, rows in model.runs] == [[0], [1, 2, 3]]
    assert model.sizes == [1, 3]


def test_a_batch_has_at_most_so_many_rows_and_splits_no_request(model: Doubler) -> None:
    first = model.hold()
    later = [model.ask(1, 2), model.ask(3, 4, 5), model.ask(6, 7), model.ask(1, 2, 3, 4, 5)]
    model.release()
    assert answers(first, *later) == [
        [0],
        [2, 4],
        [6, 8, 10],
        [12, 14],
        [2, 4, 6, 8, 10],
    ]
    # A small one may go before a large one that does not fit; each in its order otherwise.
    assert [rows for _, rows in model.runs] == [[0], [1, 2, 6, 7], [3, 4, 5], [1, 2, 3, 4, 5]]


def test_only_what_is_of_one_kind_is_put_together(model: Doubler) -> None:
    first = model.hold()
    later = [
        model.ask(1),
        model.ask(2, signature="other"),
        model.batcher.submit("double", {"x": np.array([[3]])}),
        model.ask(4),
    ]
    model.release()
    assert answers(first, *later) == [[0], [2], [4], [[6]], [8]]
    assert model.runs[1:] == [("double", [1, 4]), ("other", [2]), ("double", [3])]


def test_a_bad_request_fails_alone(model: Doubler) -> None:
    first = model.hold()
    good = [model.ask(1), model.ask(2), model.ask(3)]
    bad = model.ask(-1)
    model.release()
    assert answers(first, *good) == [[0], [2], [4], [6]]
    with pytest.raises(RequestError, match="no -1"):
        bad.result(20)
    # All, then each half, then each half of the bad half.
    assert [rows for _, rows in model.runs] == [[0], [1, 2, 3, -1], [1, 2], [3, -1], [3], [-1]]


def test_what_is_cancelled_while_it_waits_is_not_run(model: Doubler) -> None:
    first = model.hold()
    gone, other = model.ask(1), model.ask(2)
    assert gone.cancel()
    model.release()
    assert answers(first, other) == [[0], [4]]
    assert [rows for _, rows in model.runs] == [[0], [2]]


def test_outputs_without_a_row_for_each_row_are_an_error(model: Doubler) -> None:
    model.release()
    with pytest.raises(RequestError, match=r"y has the shape \(\) for 1 rows"):
        model.ask(1, signature="scalar").result(20)


def test_closing_answers_what_was_handed_in() -> None:
    model = Doubler()
    futures = [model.hold(), model.ask(1), model.ask(2, signature="other")]
    model.release()
    model.batcher.close()
    assert [future.done() for future in futures] == [True] * 3
    assert answers(*futures) == [[0], [2], [4]]
    with pytest.raises(RuntimeError, match="closed"):
        model.ask(3)


def test_so_many_as_are_expected_are_waited_for_and_no_more(
    model: Doubler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "_LINGER", 1e6)
    first = model.hold()
    later = [model.ask(1)]
    model.release(1)
    # Two rows are known of: the 0 that was answered, and the 1 that waits.
    assert not model.running.acquire(timeout=0.3)
    later.append(model.ask(2))
    assert model.running.acquire(timeout=20)
    # A batch that is full is waited with for nobody.
    later += [model.ask(3), model.ask(4, 5, 6)]
    model.release()
    assert answers(first, *later) == [[0], [2], [4], [6], [8, 10, 12]]
    assert [rows for _, rows in model.runs] == [[0], [1, 2], [3, 4, 5, 6]]


def test_those_who_are_answered_together_are_waited_for_a_moment() -> None:
    """Two clients that ask again at once stay in one batch instead of taking turns."""
    runs: list[int] = []

    def slow(_: str, inputs: Tensors) -> Tensors:
        runs.append(len(inputs["x"]))
        threading.Event().wait(0.4)  # of which a twentieth is waited for the second
        return inputs

    batcher = Batcher(slow, 4, lambda _: None)

    def client() -> None:
        for number in range(4):
            batcher.submit("", {"x": np.array([number])}).result(20)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    batcher.close()
    # The first runs alone, since nobody knew of the second; the last has nobody beside it.
    assert sum(runs) == 8
    assert len(runs) <= 6
