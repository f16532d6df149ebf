from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.components.pusher import executor as stock_executor
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.pusher import executor
from components.shared.digest import folder_digest
from components.shared.errors import InputError


def push(
    tmp_path: Path, *, blessed: int = 1, after: Callable[[Path], Any] = lambda model: None
) -> standard_artifacts.PushedModel:
    """Pushes a model of two files to `tmp_path/served/model`.

    Args:
        tmp_path: of the test.
        blessed: by the gate.
        after: done to the model's folder after it was checked.
    """
    infra = standard_artifacts.InfraBlessing()
    infra.uri = str(tmp_path / "infra")
    model = tmp_path / "infra" / "stamped_model"
    (model / "variables").mkdir(parents=True, exist_ok=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    infra.set_int_custom_property("blessed", 1)
    infra.set_int_custom_property("has_model", 1)
    infra.set_string_custom_property("model_digest", folder_digest(str(model)))
    after(model)
    judged = standard_artifacts.ModelBlessing()
    judged.set_int_custom_property("blessed", blessed)
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")
    destination = pusher_pb2.PushDestination(
        filesystem=pusher_pb2.PushDestination.Filesystem(
            base_directory=str(tmp_path / "served" / "model")
        )
    )
    executor.WholeVersionExecutor().Do(
        {"model_blessing": [judged], "infra_blessing": [infra]},
        {"pushed_model": [pushed]},
        {"push_destination": proto_utils.proto_to_json(destination)},
    )
    return pushed


def served(tmp_path: Path) -> list[str]:
    folder = tmp_path / "served" / "model"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_version_is_whole_and_recorded(tmp_path: Path) -> None:
    pushed = push(tmp_path)
    version = pushed.get_string_custom_property("pushed_version")
    assert served(tmp_path) == [version]
    folder = tmp_path / "served" / "model" / version
    assert pushed.get_string_custom_property("pushed_destination") == str(folder)
    assert (folder / "saved_model.pb").read_bytes() == b"graph"
    assert (folder / "variables" / "variables.index").read_bytes() == b"index"
    # Nothing is left of the place beside the folder, where it was put together.
    assert list((tmp_path / "served").glob(".incoming/*")) == []


def test_a_version_knows_its_number(tmp_path: Path) -> None:
    assets = tmp_path / "infra" / "stamped_model" / "assets"
    assets.mkdir(parents=True)
    (assets / "model_version.txt").write_text("not pushed")
    version = push(tmp_path).get_string_custom_property("pushed_version")
    (found,) = tmp_path.glob("served/model/*/assets/model_version.txt")
    assert found.read_text() == found.parts[-3] == version
    assert (assets / "model_version.txt").read_text() == "not pushed"


def test_two_pushes_in_a_second_are_two_versions(tmp_path: Path) -> None:
    first = push(tmp_path).get_string_custom_property("pushed_version")
    second = push(tmp_path).get_string_custom_property("pushed_version")
    assert int(second) > int(first)
    assert served(tmp_path) == [first, second]


@pytest.mark.parametrize("whole", [True, False])
def test_a_version_is_above_one_that_is_above_the_clock(tmp_path: Path, whole: bool) -> None:
    for name in ("9000000000", "10"):
        (tmp_path / "served" / "model" / name).mkdir(parents=True)
        if whole:
            (tmp_path / "served" / "model" / name / "saved_model.pb").touch()
    assets = tmp_path / "infra" / "stamped_model" / "assets"
    assets.mkdir(parents=True)
    (assets / "model_version.txt").write_text("not pushed")
    pushed = push(tmp_path)
    assert pushed.get_string_custom_property("pushed_version") == "9000000001"
    folder = tmp_path / "served" / "model" / "9000000001"
    assert pushed.get_string_custom_property("pushed_destination") == str(folder)
    assert (folder / "assets" / "model_version.txt").read_text() == "9000000001"
    assert served(tmp_path) == ["10", "9000000000", "9000000001"]


def test_no_version_above_the_largest(tmp_path: Path) -> None:
    (tmp_path / "served" / "model" / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(InputError, match=r"^Nothing can be pushed to .*: there is no version"):
        push(tmp_path)


def test_what_is_not_blessed_is_not_pushed(tmp_path: Path) -> None:
    pushed = push(tmp_path, blessed=0)
    assert pushed.get_int_custom_property("pushed") == 0
    assert served(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda model: (model / "variables" / "variables.index").write_bytes(b"indez"),
        lambda model: (model / "saved_model.pb").unlink(),
        lambda model: (model / "more").touch(),
        lambda model: (model / "saved_model.pb").rename(model / "saved_model.pbtxt"),
    ],
)
def test_what_was_not_checked_is_not_pushed(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    with pytest.raises(InputError, match=r"infra is not the one that ServingCheck blessed"):
        push(tmp_path, after=change)
    assert served(tmp_path) == []


def test_a_copy_that_is_another_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = executor.fileio.rename

    def spoil(source: str, target: str) -> None:
        rename(source, target)
        (Path(target) / "saved_model.pb").write_bytes(b"grapi")

    monkeypatch.setattr(executor.fileio, "rename", spoil)
    with pytest.raises(InputError, match=r"is not what was pushed, and is removed: run again"):
        push(tmp_path)
    assert served(tmp_path) == []


def test_killed_on_the_way_it_leaves_no_half_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stock_executor.io_utils, "copy_file", die)
    with pytest.raises(KeyboardInterrupt):
        push(tmp_path)
    assert served(tmp_path) == []
    monkeypatch.undo()
    push(tmp_path)
    assert len(served(tmp_path)) == 1
