import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from components.shared.errors import InputError
from pipeline import demo

# Enough for train to have three films to copy, and quick to write.
_FEW: dict[str, dict[demo.Finding, int]] = {
    "train": {"normal": 4, "bacteria": 3, "virus": 2},
    "val": {"normal": 1, "bacteria": 1, "virus": 1},
    "test": {"normal": 2, "bacteria": 2, "virus": 2},
}
_NAME = re.compile(
    r"(?P<patient>(NORMAL2-)?IM-\d{4})-0001(-\d{4})?\.(jpeg|png)"
    r"|(?P<person>person\d+_(bacteria|virus))_\d+\.(jpeg|png)"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "data"
    demo.write_demo_data(folder)
    return folder


def _films(folder: Path, split: str) -> list[Path]:
    return [path for path in sorted(folder.glob(f"{split}/*/*")) if path.name != ".DS_Store"]


def _is_readable(path: Path) -> bool:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.verify()  # checksums of a PNG
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()  # the end of a JPEG
    except (OSError, SyntaxError):  # Pillow's word for a broken PNG
        return False
    return True


def _patient(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    assert match, path.name
    return match["patient"] or match["person"]


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _draw(finding: demo.Finding, films: int) -> list[npt.NDArray[np.uint8]]:
    return [demo.draw_film(np.random.default_rng([i, 5]), finding) for i in range(films)]


def _brightness(film: npt.NDArray[np.uint8], rows: slice, columns: slice) -> float:
    """Mean grey level of a box in percent of the film's height and width."""
    return float(cv2.resize(film, (100, 100), interpolation=cv2.INTER_AREA)[rows, columns].mean())


def test_every_split_and_class_has_its_films(data: Path) -> None:
    counts = Counter(
        path.relative_to(data).parent.as_posix()
        for split in ("train", "val", "test")
        for path in _films(data, split)
        if _is_readable(path)
    )
    extra = counts["train/NORMAL"] + counts["train/PNEUMONIA"] - (90 + 200)
    assert extra == 3  # the copies
    assert counts["train/NORMAL"] in range(90, 94)
    assert {name: n for name, n in counts.items() if not name.startswith("train")} == {
        "val/NORMAL": 8,
        "val/PNEUMONIA": 8,
        "test/NORMAL": 60,
        "test/PNEUMONIA": 90,
    }


def test_names_follow_the_public_set_and_agree_with_the_folder(data: Path) -> None:
    for path in (path for split in ("train", "val", "test") for path in _films(data, split)):
        assert _patient(path).startswith("person") == (path.parent.name == "PNEUMONIA"), path


def test_no_patient_is_in_two_splits_and_some_have_several_films(data: Path) -> None:
    splits, films = defaultdict(set), Counter[str]()
    for split in ("train", "val", "test"):
        for path in _films(data, split):
            splits[_patient(path)].add(split)
            films[_patient(path)] += 1
    assert all(len(where) == 1 for where in splits.values())
    for stream in ("IM", "NORMAL2-IM", "bacteria", "virus"):
        several = [patient for patient, n in films.items() if n > 1 and stream in patient]
        assert several, stream


def test_corrupt_files_are_in_train_only_and_few(data: Path) -> None:
    films = {split: _films(data, split) for split in ("train", "val", "test")}
    corrupt = {split: [p for p in films[split] if not _is_readable(p)] for split in films}
    assert len(corrupt["train"]) == 5
    assert not corrupt["val"]
    assert not corrupt["test"]
    assert 0.05 * sum(map(len, films.values())) > 5
    assert sorted(path.suffix for path in corrupt["train"]) == [".jpeg"] * 4 + [".png"]
    assert any(path.stat().st_size == 0 for path in corrupt["train"])
    assert (data / "train/NORMAL/.DS_Store").is_file()


def test_three_films_of_train_are_copies_under_another_patient(data: Path) -> None:
    paths = defaultdict(list)
    for split in ("train", "val", "test"):
        for path in _films(data, split):
            paths[path.read_bytes()].append(path)
    copies = [same for same in paths.values() if len(same) > 1]
    assert [len(same) for same in copies] == [2, 2, 2]
    for one, other in copies:
        assert one.parent == other.parent == data / "train" / one.parent.name
        assert _patient(one) != _patient(other)


def test_films_vary_in_size_and_kind(data: Path) -> None:
    sizes, kinds = set(), Counter[str]()
    for path in _films(data, "test"):
        with Image.open(path) as image:
            sizes.add(image.size)
            kinds[f"{image.format} {image.mode}"] += 1
    assert len(sizes) > 100
    assert all(180 <= width <= 420 and 1 <= width / height < 1.52 for width, height in sizes)
    assert set(kinds) == {"JPEG L", "JPEG RGB", "PNG L"}
    assert kinds["JPEG L"] > 0.8 * kinds.total()


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        demo._write(tmp_path / name, seed, _FEW)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    assert _contents(tmp_path / "a") != _contents(tmp_path / "c")


def test_a_film_depends_on_its_name_and_the_seed_alone(tmp_path: Path) -> None:
    demo._write(tmp_path / "data", 3, _FEW)
    path = next((tmp_path / "data/test/PNEUMONIA").glob("*_virus_*"))
    assert demo._film_file(3, path.stem, "virus") == (path.suffix, path.read_bytes())


def test_second_call_leaves_every_file_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    demo._write(folder, 3, _FEW)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    demo._write(folder, 3, _FEW)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_seed_replaces_the_whole_set(tmp_path: Path) -> None:
    demo._write(tmp_path / "data", 3, _FEW)
    demo._write(tmp_path / "data", 4, _FEW)
    demo._write(tmp_path / "fresh", 4, _FEW)
    assert _contents(tmp_path / "data") == _contents(tmp_path / "fresh")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "fresh"}


def test_films_of_somebody_else_are_never_replaced(tmp_path: Path) -> None:
    demo._write(tmp_path / "data", 3, _FEW)
    (tmp_path / "data/train/NORMAL/mine.jpeg").write_bytes(b"x")
    with pytest.raises(InputError, match="no part of it"):
        demo._write(tmp_path / "data", 4, _FEW)
    assert (tmp_path / "data/train/NORMAL/mine.jpeg").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["notes.txt", demo._MARKER])
def test_a_folder_with_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        demo.write_demo_data(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(InputError, match="is a file"):
        demo.write_demo_data(tmp_path / "data")


def test_an_empty_folder_is_filled_and_marked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    demo._write(tmp_path / "data", 3, _FEW)
    marker = json.loads((tmp_path / "data/.demo.json").read_text(encoding="utf-8"))
    assert (marker["seed"], marker["version"]) == (3, demo._VERSION)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        demo._write(tmp_path / "data", 3, _FEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("finding", ["normal", "bacteria", "virus"])
def test_corners_are_darker_than_the_centre(finding: demo.Finding) -> None:
    ends = (slice(0, 5), slice(95, 100))
    for film in _draw(finding, 15):
        corners = [_brightness(film, rows, columns) for rows in ends for columns in ends]
        assert max(corners) < 0.7 * _brightness(film, slice(35, 65), slice(35, 65))


def test_pneumonia_whitens_the_lungs() -> None:
    def lungs(finding: demo.Finding) -> float:
        fields = (slice(22, 42), slice(58, 78))
        return float(
            np.mean([_brightness(f, slice(30, 65), x) for f in _draw(finding, 30) for x in fields])
        )

    normal = lungs("normal")
    assert lungs("bacteria") > 1.15 * normal
    assert lungs("virus") > 1.15 * normal
