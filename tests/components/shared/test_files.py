from pathlib import Path

import pytest

from components.shared.files import replace, replace_all, replace_folder, replacing


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def third_is_in_the_way(tmp_path: Path) -> dict[Path, str]:
    """Texts for three files, of which the last cannot be replaced: a folder has its name."""
    (tmp_path / "first").write_text("before")
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "file").touch()
    return {tmp_path / name: "after" for name in ("first", "second", "third")}


def test_files_are_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("before")
    replace_all({tmp_path / "first": "after", tmp_path / "second": "\N{EN DASH}"})
    assert contents(tmp_path) == {"first": "after", "second": "\N{EN DASH}"}


def test_all_or_none_where_one_cannot_be_replaced(
    tmp_path: Path, third_is_in_the_way: dict[Path, str]
) -> None:
    with pytest.raises(OSError, match="third"):
        replace_all(third_is_in_the_way)
    assert contents(tmp_path) == {"first": "before"}


def test_all_or_none_where_a_rename_fails_after_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first").write_text("before")
    rename = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == "third":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        replace_all({tmp_path / name: "after" for name in ("first", "second", "third")})
    # What was there is back, and what was not is gone.
    assert contents(tmp_path) == {"first": "before"}


def test_nothing_is_replaced_where_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("before")
    with pytest.raises(FileNotFoundError):
        replace_all({tmp_path / "first": "after", tmp_path / "gone" / "second": "after"})
    assert contents(tmp_path) == {"first": "before"}


def test_a_file_stays_where_its_successor_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, "before")
    block = replacing(path)
    block.__enter__().write_text("aft")
    assert not block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert contents(tmp_path) == {"file": "before"}


def test_a_folder_is_back_where_its_successor_cannot_come(tmp_path: Path) -> None:
    folder, old = tmp_path / "folder", tmp_path / "old"
    folder.mkdir()
    (folder / "file").write_text("before")
    with pytest.raises(FileNotFoundError):
        replace_folder(folder, tmp_path / "gone", old)
    assert contents(folder) == {"file": "before"}
    assert not old.exists()


def test_a_folder_takes_another_s_place(tmp_path: Path) -> None:
    folder, new, old = (tmp_path / name for name in ("folder", "new", "old"))
    for number in ("1", "2"):
        new.mkdir()
        (new / "file").write_text(number)
        replace_folder(folder, new, old)
        assert contents(folder) == {"file": number}
    assert contents(old) == {"file": "1"}
