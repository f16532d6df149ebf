import os
import stat
import threading
from pathlib import Path

import pytest

from components.shared.errors import InputError
from components.shared.files import (
    displayed,
    files_below,
    replace,
    replace_all,
    replace_folder,
    replacing,
)


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


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link", tmp_path / "elsewhere" / "file"
    link.symlink_to(file)
    for text in ("first", "second"):  # of a link that leads nowhere the file is made
        replace(link, text)
        assert link.is_symlink()
        assert file.read_text() == text
    assert contents(tmp_path / "elsewhere") == {"file": "second"}


def test_a_pipe_is_written_to_where_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    replace(pipe, "text")
    reader.join(10)
    assert found == ["text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_what_a_process_has_open_is_written_to_where_it_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as file:
        before = os.fstat(file.fileno()).st_ino
        replace(Path(f"/dev/fd/{file.fileno()}"), "text")
        assert file.read() == "text"
    assert (tmp_path / "out").stat().st_ino == before


def test_a_name_of_another_encoding_can_be_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xf6ntgen [1].png"))
    path.touch()
    (found,) = files_below(tmp_path)
    assert found == path
    assert displayed(found) == f"{tmp_path}/r\\xf6ntgen [1].png"
    assert displayed("R\u00f6ntgen.png") == "R\u00f6ntgen.png"


def test_a_name_takes_one_line_and_moves_no_cursor() -> None:
    assert displayed("a\r\nb\x1b[2J\u2028\u202egpj.png") == r"a\r\nb\x1b[2J\u2028\u202egpj.png"
    assert displayed("1\xa0\u3000\U0001f9b4.png") == "1\xa0\u3000\U0001f9b4.png"


def test_files_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/c/2", "b/1", "a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    assert files_below(tmp_path) == [tmp_path / name for name in ("a", "b/1", "b/c/2")]


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "2024").mkdir()
    scan = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("2024"):  # root may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match="2024 cannot be read: Permission denied"):
        files_below(tmp_path)


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
