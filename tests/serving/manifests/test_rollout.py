"""Which versions are served, and that a running server takes each step."""

import itertools

import pytest

from components.shared.errors import InputError
from serving.manifests.rollout import Rollout, choose, models_config, refused_labels


@pytest.mark.parametrize(
    ("versions", "canary", "labels", "loaded"),
    [
        (["1"], None, {"stable": 1}, [1]),
        (["1", "2"], None, {"stable": 2}, [1, 2]),
        (["1", "2", "10"], None, {"stable": 10}, [2, 10]),
        (["1", "2", "10"], "10", {"stable": 2, "canary": 10}, [2, 10]),
        # Back: the older one is tried beside the newest.
        (["1", "2", "10"], "1", {"stable": 10, "canary": 1}, [1, 10]),
    ],
)
def test_choice(
    versions: list[str], canary: str | None, labels: dict[str, int], loaded: list[int]
) -> None:
    rollout = choose(versions, canary)
    assert rollout.labels == labels
    assert rollout.loaded == loaded
    assert rollout.newest == labels.get("canary", labels["stable"])


@pytest.mark.parametrize("canary", ["3", "", "stable"])
def test_a_canary_that_was_not_pushed(canary: str) -> None:
    with pytest.raises(InputError, match="is no version that was pushed: there is 1, 2"):
        choose(["1", "2"], canary)


def test_a_canary_alone() -> None:
    with pytest.raises(InputError, match="--canary 7 is the only version"):
        choose(["7"], "7")


def config(versions: list[str], canary: str | None = None, name: str = "pneumonia") -> str:
    return models_config(name, f"/models/{name}", choose(versions, canary))


def test_a_running_server_takes_a_canary_its_promotion_and_the_way_back() -> None:
    first = config(["1"])
    second_tried, second = config(["1", "2"], "2"), config(["1", "2"])
    third_tried, third = config(["1", "2", "3"], "3"), config(["1", "2", "3"])
    steps = [first, second_tried, second, second_tried, second, third_tried, third, third_tried]
    for before, after in itertools.pairwise(steps):
        assert refused_labels(before, after) == []


def test_a_label_does_not_move_to_what_is_not_loaded() -> None:
    assert refused_labels(config(["1"]), config(["1", "2"])) == ["stable"]
    assert refused_labels(config(["1", "2"], "2"), config(["1", "2", "3"], "3")) == ["canary"]
    both = models_config("pneumonia", "/m", Rollout({"stable": 8, "canary": 9}, [8, 9]))
    assert refused_labels(config(["1", "2"], "2"), both) == ["canary", "stable"]


@pytest.mark.parametrize(
    "before", ["", "no proto", "model_config_list {}", config(["1"], name="x")]
)
def test_what_is_another_model_or_none_refuses_nothing(before: str) -> None:
    assert refused_labels(before, config(["1", "2"])) == []
