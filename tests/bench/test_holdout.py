import os
import shutil
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from bench.holdout import held_out, main, write_holdout
from components.shared.errors import InputError
from components.shared.patients import name_stream, patient_key

# Two films of every third patient.
STREAMS = {
    "IM": [f"IM-{number:04d}" for number in range(115, 145)],
    "NORMAL2-IM": [f"NORMAL2-IM-{number:04d}" for number in range(3, 20)],
    "bacteria": [f"person{number}_bacteria" for number in range(1, 41)],
    "virus": [f"person{number}_virus" for number in range(1, 90, 3)],
}
FILMS = {
    patient: 1 + (number % 3 == 0)
    for patients in STREAMS.values()
    for number, patient in enumerate(patients)
}


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 5, 7])
def test_every_patient_is_in_exactly_one_part(parts: int, shuffled: bool) -> None:
    found = [held_out(FILMS, part, parts, shuffled) for part in range(1, parts + 1)]
    assert sorted(chain(*found)) == sorted(FILMS)


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_part_holds_its_share_of_the_films_of_every_stream(shuffled: bool) -> None:
    for part in range(1, 6):
        chosen = held_out(FILMS, part, 5, shuffled)
        for patients in STREAMS.values():
            held = sum(FILMS[patient] for patient in patients if patient in chosen)
            # A patient of two films may stand on either border.
            assert abs(held - sum(FILMS[patient] for patient in patients) / 5) <= 2


@pytest.mark.parametrize("part", [1, 3, 5])
def test_a_block_is_of_consecutive_numbers_in_each_stream(part: int) -> None:
    chosen = held_out(FILMS, part, 5, shuffled=False)
    for patients in STREAMS.values():
        places = [place for place, patient in enumerate(patients) if patient in chosen]
        assert places == list(range(places[0], places[-1] + 1))
        assert (places[0] == 0) is (part == 1)
        assert (places[-1] == len(patients) - 1) is (part == 5)


def test_blocks_by_hand() -> None:
    # By number and not by letters: 2, 9, 10, 11, 100, of 2, 1, 1, 3 and 1 films.
    films = {
        "person10_virus": 1,
        "person100_virus": 1,
        "person11_virus": 3,
        "person2_virus": 2,
        "person9_virus": 1,
    }
    assert held_out(films, 1, 2, shuffled=False) == {
        "person2_virus",
        "person9_virus",
        "person10_virus",
    }
    assert held_out(films, 2, 2, shuffled=False) == {"person11_virus", "person100_virus"}
    # A patient belongs to the part in which its first film lies: 2 and 3 of 8 in three parts.
    assert held_out(films, 1, 3, shuffled=False) == {"person2_virus", "person9_virus"}
    assert held_out(films, 2, 3, shuffled=False) == {"person10_virus", "person11_virus"}


def test_random_parts_are_no_blocks_and_always_the_same() -> None:
    chosen = held_out(FILMS, 2, 5, shuffled=True)
    assert held_out(dict(reversed(FILMS.items())), 2, 5, shuffled=True) == chosen
    for patients in (STREAMS["bacteria"], STREAMS["IM"]):
        places = [place for place, patient in enumerate(patients) if patient in chosen]
        assert places != list(range(places[0], places[-1] + 1))


def test_blocks_do_not_follow_from_the_order_of_the_files() -> None:
    chosen = held_out(FILMS, 2, 5, shuffled=False)
    assert held_out(dict(reversed(FILMS.items())), 2, 5, shuffled=False) == chosen


def test_names_without_a_number_are_patients_too() -> None:
    films = {"b.png": 1, "a.png": 1, "c7.png": 1, "d3.png": 1}
    assert held_out(films, 1, 2, shuffled=False) == {"a.png", "b.png"}
    assert held_out(films, 2, 2, shuffled=False) == {"c7.png", "d3.png"}


NAMES = {
    "train/NORMAL": [f"IM-{number:04d}-0001.jpeg" for number in range(1, 9)],
    "train/PNEUMONIA": [
        f"person{number}_{kind}_{film}.jpeg"
        for number in range(1, 9)
        for kind in ("bacteria", "virus")
        for film in range(1 + number % 2)
    ],
    # Of patients who are in train too.
    "val/NORMAL": ["IM-0001-0002.jpeg", "IM-0008-0002.jpeg"],
    "val/PNEUMONIA": ["person1_bacteria_7.jpeg", "person8_virus_7.jpeg"],
    "test/NORMAL": ["IM-0100-0001.jpeg"],
    "test/PNEUMONIA": ["person100_virus_1.jpeg", "person101_bacteria_1.jpeg"],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder, names in NAMES.items():
        (tmp_path / "data" / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / "data" / folder / name).write_text(f"{folder}/{name}")
    return tmp_path / "data"


def films_of(folder: Path) -> dict[str, str]:
    """Content by path inside the folder."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_test_split_is_cut_out_of_train_and_val(
    data: Path, tmp_path: Path, shuffled: bool
) -> None:
    wanted = sorted(
        f"{folder}/{name}"
        for folder, names in NAMES.items()
        for name in names
        if not folder.startswith("test")
    )
    held: list[str] = []
    for part in (1, 2, 3):
        output = tmp_path / f"part-{part}"
        write_holdout(data, output, part, 3, shuffled)
        found = films_of(output)
        # Each film of train and val once, under its class, and none of test.
        assert sorted(found.values()) == wanted
        assert {path.split("/")[0] for path in found} == {"train", "test"}
        for path, content in found.items():
            assert path.split("/")[1:] == content.split("/")[1:]
            assert (output / path).is_symlink()
        patients = {
            split: {patient_key(Path(path).name) for path in found if path.startswith(split)}
            for split in ("train", "test")
        }
        assert not patients["train"] & patients["test"]
        assert {name_stream(patient) for patient in patients["test"]} == {
            "IM",
            "bacteria",
            "virus",
        }
        held += [content for path, content in found.items() if path.startswith("test")]
    assert sorted(held) == wanted
    # Nothing was moved.
    assert len(films_of(data)) == sum(map(len, NAMES.values()))


def test_the_links_lead_home_from_anywhere(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_holdout(Path("data"), Path("holdout"), 1, 3, False)
    monkeypatch.chdir("/")
    assert films_of(tmp_path / "holdout").keys() >= {"test/NORMAL/IM-0001-0002.jpeg"}


def test_a_stream_is_left_out_of_train_whole(data: Path, tmp_path: Path) -> None:
    write_holdout(data, tmp_path / "part", 1, 3, False)
    write_holdout(data, tmp_path / "without", 1, 3, False, without="virus")
    block, without = films_of(tmp_path / "part"), films_of(tmp_path / "without")
    for path, content in block.items():
        split, *rest = path.split("/")
        expected = "test" if "virus" in path else split
        assert without["/".join([expected, *rest])] == content
    assert len(without) == len(block)


def test_the_films_of_test_may_be_of_another_copy(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("IM-0001-0001.jpeg", "IM-0008-0001.jpeg"):
        (copy / "train" / "NORMAL").mkdir(parents=True, exist_ok=True)
        (copy / "train" / "NORMAL" / name).write_text("of the copy")
    (copy / "train" / "PNEUMONIA").mkdir(parents=True)
    (copy / "train" / "PNEUMONIA" / "person8_virus_9.jpeg").write_text("of the copy")
    shutil.copytree(data / "test", copy / "test")
    write_holdout(data, tmp_path / "part", 1, 3, False)
    write_holdout(data, tmp_path / "across", 1, 3, False, test_data=copy)
    block, across = films_of(tmp_path / "part"), films_of(tmp_path / "across")
    # Of the copy's patients the first is in the part that is held out.
    assert {path: content for path, content in across.items() if path.startswith("test")} == {
        "test/NORMAL/IM-0001-0001.jpeg": "of the copy"
    }
    for path in block:
        assert path.startswith("test") or across[path] == block[path]


def test_a_stream_that_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of the stream NORMAL2; there are IM, bacteria, virus"):
        write_holdout(data, tmp_path / "out", 1, 3, False, without="NORMAL2")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_there_is_left_alone(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine"
    output.mkdir()
    with pytest.raises(InputError, match=f"{output} exists already."):
        write_holdout(data, output, 1, 3, False)
    assert list(output.iterdir()) == []


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["holdout", *arguments])
        return main()

    return call


def test_the_command_line(run: Run, data: Path, tmp_path: Path) -> None:
    paths = ["--data", str(data), "--output"]
    assert run(*paths, str(tmp_path / "block"), "--part", "2/3") == 0
    assert run(*paths, str(tmp_path / "random"), "--part", "2/3", "--shuffled") == 0
    more = ["--part", "2/3", "--without", "virus", "--test-data", str(data)]
    assert run(*paths, str(tmp_path / "without"), *more) == 0
    write_holdout(data, tmp_path / "without-again", 2, 3, False, "virus")
    assert films_of(tmp_path / "without") == films_of(tmp_path / "without-again")
    for name, shuffled in (("block", False), ("random", True)):
        write_holdout(data, tmp_path / f"{name}-again", 2, 3, shuffled)
        assert films_of(tmp_path / name) == films_of(tmp_path / f"{name}-again")
    assert films_of(tmp_path / "block") != films_of(tmp_path / "random")


def test_an_error_is_one_sentence_and_status_2(
    run: Run, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert run("--data", missing, "--output", str(tmp_path / "out"), "--part", "1/3") == 2
    assert capsys.readouterr().err == (
        f"The data folder {missing} does not exist or is no folder.\n"
    )
    assert run("--data", str(data), "--output", str(data), "--part", "1/3") == 2
    assert capsys.readouterr().err == f"{data} exists already.\n"
    assert not os.path.exists(tmp_path / "out")


@pytest.mark.parametrize("part", ["0/3", "4/3", "1/0", "1", "a/b", "1/3/5", "-1/3", "1.5/3"])
def test_a_part_that_cannot_be(
    run: Run, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("--data", str(data), "--output", str(tmp_path / "out"), f"--part={part}")
    assert stopped.value.code == 2
    assert f"--part {part} is not of the form K/N with K from 1 to N" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "out")
