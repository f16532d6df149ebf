from pathlib import Path

import pytest

from serving.server.versions import State, Versions


class Fake:
    """Stands for a loaded model; `broken` in its file fails to load."""

    loads: list[str] = []
    closed: list[str] = []

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.loads.append(self.name)
        content = (path / "saved_model.pb").read_text()
        if content == "broken":
            raise ValueError("no\nmodel")

    def close(self) -> None:
        self.closed.append(self.name)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Fake.loads, Fake.closed = [], []


def push(folder: Path, name: str, content: str = "good") -> Path:
    path = folder / name
    path.mkdir()
    (path / "saved_model.pb").write_text(content)
    return path


def served(versions: Versions[Fake]) -> int:
    with versions.hold() as held:
        return held.number


@pytest.fixture
def versions(tmp_path: Path) -> Versions[Fake]:
    return Versions(tmp_path, Fake)


def test_the_newest_by_number_is_served_and_nothing_else_is_looked_at(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    for name in ("9", "10", "11.part", "x12", "-13", "\u0661\u0664", str(2**63)):
        push(tmp_path, name)
    (tmp_path / "99.txt").write_text("")
    (tmp_path / "12" / "variables").mkdir(parents=True)  # half a version, not to be served yet
    with pytest.raises(LookupError):
        served(versions)
    versions.look()
    versions.look()
    assert served(versions) == 10
    assert Fake.loads == ["10"]
    assert versions.states() == {10: State("AVAILABLE")}


def test_a_newer_version_takes_over_and_the_older_one_is_freed(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    push(tmp_path, "1")
    versions.look()
    push(tmp_path, "2")
    versions.look()
    assert served(versions) == 2
    assert versions.states() == {2: State("AVAILABLE"), 1: State("UNLOADING")}
    versions.look()
    assert Fake.closed == ["1"]
    assert versions.states()[1] == State("END")


def test_a_version_is_not_freed_while_a_request_holds_it(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    push(tmp_path, "1")
    versions.look()
    with versions.hold() as first, versions.hold(1):
        push(tmp_path, "2")
        versions.look()
        versions.look()
        assert (first.number, first.servable.name) == (1, "1")
        assert Fake.closed == []
        with pytest.raises(LookupError), versions.hold(1):
            pass
        with versions.hold(2) as second:
            assert second.number == 2
    versions.look()
    assert Fake.closed == ["1"]


def test_a_broken_version_leaves_the_old_one_and_is_tried_again_when_it_changes(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    push(tmp_path, "1")
    versions.look()
    broken = push(tmp_path, "2", "broken")
    for _ in range(3):
        versions.look()
    assert served(versions) == 1
    assert Fake.loads == ["1", "2"]
    assert versions.states() == {2: State("END", 2, "ValueError: no model"), 1: State("AVAILABLE")}
    (broken / "saved_model.pb").write_text("mended")
    versions.look()
    assert served(versions) == 2
    assert versions.states()[2] == State("AVAILABLE")


def test_after_a_start_the_newest_that_is_not_broken_is_served(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    for name, content in (("1", "good"), ("2", "good"), ("3", "broken")):
        push(tmp_path, name, content)
    versions.look()
    assert served(versions) == 2
    assert Fake.loads == ["3", "2"]


def test_taking_the_newest_away_brings_back_the_one_before(
    versions: Versions[Fake], tmp_path: Path
) -> None:
    push(tmp_path, "1")
    newest = push(tmp_path, "2")
    versions.look()
    assert served(versions) == 2
    newest.rename(tmp_path / "taken")
    versions.look()
    assert served(versions) == 1
    (tmp_path / "1").rename(tmp_path / "taken too")
    versions.look()
    assert served(versions) == 1


def test_the_watch_takes_up_what_appears_and_outlives_a_folder_that_goes(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    versions = Versions(folder, Fake, poll_s=0.01)
    versions.start()
    try:
        folder.rename(tmp_path / "away")
        push(tmp_path / "away", "3")
        (tmp_path / "away").rename(folder)
        for _ in range(1000):
            if versions.ready:
                break
            versions._stopped.wait(0.01)
        assert served(versions) == 3
    finally:
        versions.stop()
    assert Fake.closed == ["3"]
    assert not versions.ready
