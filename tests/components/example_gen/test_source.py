import gzip
import hashlib
import io
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tensorflow as tf
from conftest import MakeData
from PIL import Image, PngImagePlugin
from pydicom.datadict import DicomDictionary

from components.example_gen import files, source
from components.example_gen.identity import VARIABLE, open_key
from components.example_gen.settings import RunSettings
from components.films.dicom import to_png
from components.shared import record
from components.shared.errors import BadFilmsError, InputError
from support.dicom_files import dicom
from support.films import tiny_film
from support.ingestion import ingest, quarantine
from support.tables import film_of, write_film, write_table

LAYOUT = {"train": {"NORMAL": 6, "PNEUMONIA": 6}, "test": {"NORMAL": 2, "PNEUMONIA": 2}}
SUFFIXES = (".png", ".dcm", ".jpeg", "", ".dicom")


@pytest.fixture(autouse=True)
def known_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "secret")


def settings(**changes: object) -> RunSettings:
    return RunSettings(seed=1, undersampling="none").changed(**changes)


def films_of_patients(folder: Path, patients: int = 20) -> list[dict[str, object]]:
    """Writes three films a patient, of every kind; every fourth patient has films of both classes.

    Of the others the even ones are normal.
    """
    rows: list[dict[str, object]] = []
    for patient in range(patients):
        for film in range(3):
            number = 3 * patient + film
            name = f"films/{number}{SUFFIXES[number % len(SUFFIXES)]}"
            write_film(folder, name, PatientID=f"of the file {patient}")
            mixed = patient % 4 == 0 and film == 0
            label = (patient % 2 == 0) == mixed
            rows.append({"path": name, "label": int(label), "patient": f"P{patient}"})
    return rows


def decoded(found: Mapping[str, Mapping[str, bytes]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        split: {name: record.decode(one) for name, one in films.items()}
        for split, films in found.items()
    }


def test_a_table_without_splits_is_cut_by_patient(tmp_path: Path) -> None:
    rows = films_of_patients(tmp_path)
    table = write_table(tmp_path / "films.csv", rows)
    found = ingest(table, tmp_path / "out", settings(test_fraction=0.25, eval_fraction=0.25))
    films = decoded(found)
    assert {name for split in films.values() for name in split} == {row["path"] for row in rows}
    splits: dict[str, set[str]] = {}
    for split, examples in films.items():
        for film in examples.values():
            splits.setdefault(film["patient"], set()).add(split)
    assert len(splits) == 20
    assert all(len(found) == 1 for found in splits.values())
    labels = {row["path"]: row["label"] for row in rows}
    for examples in films.values():
        assert all(film["label"] == labels[name] for name, film in examples.items())
        assert {film["label"] for film in examples.values()} == {0, 1}
    # A quarter of each class at least: of 25 normal films 7, of 35 pneumonias 9.
    assert Counter(labels.values()) == {0: 25, 1: 35}
    in_test = Counter(film["label"] for film in films["test"].values())
    assert in_test[0] >= 7
    assert in_test[1] >= 9
    assert len(films["test"]) < 30 < len(films["train"]) + len(films["eval"])


def test_the_order_of_rows_is_nothing(tmp_path: Path) -> None:
    rows = films_of_patients(tmp_path)
    one = ingest(write_table(tmp_path / "one.csv", rows), tmp_path / "1", settings())
    random.Random(3).shuffle(rows)
    two = ingest(write_table(tmp_path / "two.csv", rows), tmp_path / "2", settings())
    assert [list(split.items()) for split in one.values()] == [
        list(split.items()) for split in two.values()
    ]
    other = ingest(tmp_path / "two.csv", tmp_path / "3", settings(seed=2))
    assert other["test"].keys() != one["test"].keys()


def test_a_table_with_splits_keeps_them(tmp_path: Path) -> None:
    rows = films_of_patients(tmp_path)
    for number, row in enumerate(rows):
        patient = number // 3
        row["split"] = "Test" if patient < 4 else "valid" if patient < 8 else "train"
    table = write_table(tmp_path / "films.tsv", rows, "\t")
    found = ingest(table, tmp_path / "out", settings(eval_from="val"))
    wanted = {"test": slice(0, 12), "eval": slice(12, 24), "train": slice(24, 60)}
    for split, films in found.items():
        assert set(films) == {row["path"] for row in rows[wanted[split]]}
    pooled = ingest(table, tmp_path / "pool", settings())
    assert set(pooled["test"]) == set(found["test"])
    # A patient on both sides stops the run, and is not named.
    rows[0]["split"] = "train"
    crossing = r"is in test and train: films/0\.png, films/1\.dcm"
    with pytest.raises(InputError, match=crossing) as caught:
        ingest(write_table(table, rows, "\t"), tmp_path / "crossing", settings())
    assert "P0" not in str(caught.value)


def test_who_is_on_a_film(tmp_path: Path) -> None:
    """The table's column, then the file's tag, then the file's name."""
    rows = films_of_patients(tmp_path)
    for name, patient in (("a.dcm", ""), ("b.dcm", "X"), ("IM-0115-0001.dcm", ""), ("c.png", "")):
        identifier = None if name.startswith("IM") else "4711"
        write_film(tmp_path, f"more/{name}", PatientID=identifier, IssuerOfPatientID="H")
        rows.append({"path": f"more/{name}", "label": 1, "patient": patient})
    table = write_table(tmp_path / "films.csv", rows)
    films = decoded(ingest(table, tmp_path / "out", settings()))
    patients = {
        name.removeprefix("more/"): film["patient"]
        for split in films.values()
        for name, film in split.items()
        if name.startswith("more/")
    }
    assert patients == {
        # By openssl, see test_identity.py.
        "a.dcm": "0c6f52f0c9d7e44e592f0ea6b91da246",
        "b.dcm": open_key(None, None).pseudonym("X"),
        "IM-0115-0001.dcm": "IM-0115",
        "c.png": "more/c.png",
    }


def test_what_is_left_out_is_counted_and_not_bad(tmp_path: Path) -> None:
    rows = films_of_patients(tmp_path)
    more = {"lateral.dcm": {"ViewPosition": "LL"}, "hand.dcm": {"BodyPartExamined": "HAND"}}
    more |= {f"adult{number}.dcm": {"PatientAge": "070Y"} for number in range(3)}
    for name, tags in more.items():
        write_film(tmp_path, name, **tags)
        rows.append({"path": name, "label": 0, "patient": name})
    rows.append({"path": "unread.dcm", "label": "", "patient": "U"})
    rows.append({"path": "gone.dcm", "label": 1, "patient": "G"})
    rows.append({"path": "films/3.jpeg", "label": 1, "patient": "G"})
    rows.append({"path": "films/4.png", "label": "perhaps", "patient": "G"})
    write_film(tmp_path, "films/4.png")
    write_film(tmp_path, "films/3.jpeg")
    table = write_table(tmp_path / "films.csv", rows)
    # 3 of the 63 films that were not left out are 4.8 %.
    found = ingest(table, tmp_path / "out", settings())
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["left_out"] == {
        "no label": 1,
        "not a frontal view": 1,
        "not of the chest": 1,
        "of an adult": 3,
    }
    assert summary["quarantined"] == {"train": {"PNEUMONIA": 1, "unknown": 1}}
    assert set(quarantine(tmp_path / "out")) == {"gone.dcm", "films/4.png"}
    assert sum(len(split) for split in found.values()) == 61
    with pytest.raises(BadFilmsError, match="2 of 63 files were put aside"):
        ingest(table, tmp_path / "strict", settings(max_bad_fraction=0.03))
    adults = ingest(table, tmp_path / "adults", settings(adults=True))
    assert sum(len(split) for split in adults.values()) == 64


def test_dicom_films_in_folders(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    names = (
        "train/NORMAL/a.dcm",
        "train/NORMAL/1.2.840.5",
        "train/PNEUMONIA/b",
        "test/NORMAL/c.DICOM",
    )
    for number, name in enumerate(names):
        write_film(data, name, PatientID=str(number))
    (data / "train" / "NORMAL" / "README").write_text("no film")
    write_film(data, "train/NORMAL/lateral", ViewPosition="RL")
    write_film(data, "train/PNEUMONIA/a.jpeg")
    (data / "train" / "NORMAL" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    out = tmp_path / "out"
    found = ingest(data, out, settings(max_bad_fraction=0.1))
    films = {name: film for split in decoded(found).values() for name, film in split.items()}
    key = open_key(None, None)
    for number, name in enumerate(names):
        content = (data / name).read_bytes()
        assert films[name]["image"] == to_png(content, settings())
        assert films[name]["patient"] == key.pseudonym(str(number))
        assert (films[name]["width"], films[name]["height"]) == (48, 40)
    assert films["train/PNEUMONIA/a.jpeg"]["image"] == film_of("train/PNEUMONIA/a.jpeg")
    assert quarantine(out) == {"train/NORMAL/README": "is neither JPEG, PNG nor DICOM"}
    assert json.loads((out / "summary.json").read_text())["left_out"] == {"not a frontal view": 1}
    shards = [json.loads(line) for path in out.glob("manifest-*") for line in path.open()]
    hashes = {film["file_name"]: film["sha256"] for film in shards}
    assert hashes[names[0]] == hashlib.sha256((data / names[0]).read_bytes()).hexdigest()
    # One child under two names, in train and test.
    write_film(data, "test/PNEUMONIA/d.dcm", PatientID="0")
    with pytest.raises(InputError, match=r"patient [0-9a-f]{32} is in test and train"):
        ingest(data, tmp_path / "crossing", settings(max_bad_fraction=0.1))


def test_a_key_is_made_only_where_it_matters(
    make_data: MakeData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    data = make_data(LAYOUT)
    place = tmp_path / "run" / "patient.key"
    how = settings(key_file=str(place))
    assert source.fingerprint(str(data), how) == files.fingerprint(str(data))
    assert source.patient_key(str(data), how) is None
    assert not place.exists()
    write_film(data, "train/NORMAL/a.dcm")
    before = source.fingerprint(str(data), how)
    content = place.read_text()
    assert source.fingerprint(str(data), how) == before
    ingest(data, tmp_path / "out", how)
    assert place.read_text() == content
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or content not in unpacked(path).decode("latin-1")
    place.write_text("another")
    assert source.fingerprint(str(data), how) != before


def test_the_fingerprint_covers_the_table_and_its_films(tmp_path: Path) -> None:
    rows = films_of_patients(tmp_path, 2)
    table = write_table(tmp_path / "films.csv", rows)
    seen = [source.fingerprint(str(table), settings())]
    assert source.fingerprint(str(table), settings()) == seen[0]
    time.sleep(0.02)  # the kernel's clock ticks every few milliseconds
    write_film(tmp_path, "films/0.png")
    seen.append(source.fingerprint(str(table), settings()))
    (tmp_path / "films" / "1.dcm").unlink()
    seen.append(source.fingerprint(str(table), settings()))
    write_table(table, [*rows[:-1], {**rows[-1], "label": 0}])
    seen.append(source.fingerprint(str(table), settings()))
    write_film(tmp_path, "films/unnamed.png")
    assert source.fingerprint(str(table), settings()) == seen[-1]
    assert len(set(seen)) == 4


def test_a_table_behind_an_address(tmp_path: Path) -> None:
    place = "ram://bucket/set"
    tf.io.gfile.makedirs(f"{place}/films")
    for name in ("films/1.png", "films/2.png"):
        with tf.io.gfile.GFile(f"{place}/{name}", "wb") as film:
            film.write(film_of(name))
    with tf.io.gfile.GFile(f"{place}/films.csv", "w") as file:
        file.write("path,label\nfilms/1.png,1\nfilms/2.png,0\nfilms/3.png,0\n../x.png,1\n")
    data = f"{place}/films.csv"
    assert source.is_table(data)
    assert source.folder_of(data) == place
    table = source.read_table(data, settings())
    films = source.list_table(table, settings(), open_key(None, None))
    assert [(film.file_name, film.fate) for film in films] == [
        ("films/1.png", "kept"),
        ("films/2.png", "kept"),
        ("films/3.png", "quarantined"),
        ("row 5 of the table", "quarantined"),
    ]


@pytest.mark.parametrize(
    ("splits", "changes", "sentence"),
    [
        (None, {"eval_from": "val"}, "no column of splits: use 'pool'"),
        ("train", {}, "has a column of splits, and no film of 'test' in it"),
        ("test", {}, "and no film of 'train' in it"),
    ],
)
def test_splits_that_are_not_there(
    splits: str | None, changes: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    row = {"path": "a.png", "label": 1, **({"split": splits} if splits else {})}
    table = write_table(tmp_path / "films.csv", [row])
    with pytest.raises(InputError, match=sentence):
        source.check(str(table), settings(**changes))


def test_what_is_neither_folder_nor_table(tmp_path: Path) -> None:
    (tmp_path / "films.xlsx").touch()
    with pytest.raises(
        InputError, match=r"films\.xlsx is neither a folder nor a table: tables end"
    ):
        source.check(str(tmp_path / "films.xlsx"), settings())
    with pytest.raises(InputError, match=r"films\.csv does not exist or cannot be read"):
        source.check(str(tmp_path / "films.csv"), settings())


NAME, IDENTIFIER, BORN = "ZEUGIN^QUENDOLIN", "ZQ471199", "20191224"
TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
# They say what the film is, or how it is to be read.
KEPT_TAGS = (
    *("Modality", "BodyPartExamined", "ViewPosition", "PatientOrientation"),
    *("PresentationIntentType", "PresentationLUTShape", "SpecificCharacterSet"),
)


def named_everywhere() -> dict[str, Any]:
    """A name for every text that the standard has, and an identifier and a date of birth."""
    texts = {
        keyword: NAME
        for tag, (kind, _, _, retired, keyword) in DicomDictionary.items()
        if kind in TEXTS
        and keyword
        and not retired
        and keyword not in KEPT_TAGS
        # Neither of messages and files, nor of the pixels' form, nor repeated groups.
        and tag >> 16 not in (0x0000, 0x0002, 0x0028)
        and tag >> 16 < 0x5000
    }
    return {**texts, "PatientID": IDENTIFIER, "PatientBirthDate": BORN, "OtherPatientIDs": NAME}


def said_beside_pictures() -> dict[str, bytes]:
    """Films that tell the patient beside their pictures, one of them to be turned."""
    said = Image.Exif()
    said[0x010E] = said[0x9286] = f"{NAME} {IDENTIFIER} {BORN}"  # ImageDescription, UserComment
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", NAME)
    text.add_itxt("Patient", f"{IDENTIFIER} {BORN}", zip=True)
    films = {}
    for number, (name, way) in enumerate({"said.jpeg": 1, "turned.jpeg": 6, "said.png": 1}.items()):
        said[0x0112] = way
        file = io.BytesIO()
        how = {"pnginfo": text} if name.endswith("png") else {"comment": NAME}
        Image.fromarray(tiny_film(7100 + number)).save(
            file, Path(name).suffix[1:], exif=said.tobytes(), **how
        )
        films[name] = file.getvalue()
    return films


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def test_nothing_that_tells_a_patient_is_left_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    tags = named_everywhere()
    assert len(tags) > 800
    data = tmp_path / "data"
    rows = films_of_patients(data)
    films: dict[str, dict[str, Any]] = {
        "kept.dcm": {},
        "byfile.dcm": {},
        "lateral.dcm": {"ViewPosition": "LL"},
        "adult.dcm": {"PatientAge": "070Y"},
        "modality.dcm": {"Modality": NAME},
        "age.dcm": {"PatientAge": NAME},
        "blank.dcm": {"BitsStored": 1},
        "cut.dcm": {},
    }
    for number, (name, changes) in enumerate(films.items()):
        pixels = tiny_film(7000 + number).astype(np.uint8)
        content = dicom(pixels, **{**tags, **changes})
        (data / name).write_bytes(content[:-900] if name == "cut.dcm" else content)
        rows.append({"path": name, "label": 1, "patient": IDENTIFIER})
    rows[-7]["patient"] = ""
    for name, content in said_beside_pictures().items():
        (data / name).write_bytes(content)
        rows.append({"path": name, "label": 1, "patient": IDENTIFIER})
    rows.append({"path": "blank.dcm", "label": NAME, "patient": IDENTIFIER})
    rows.append({"path": f"/srv/{NAME}.dcm", "label": 0, "patient": IDENTIFIER})
    rows.append({"path": "../x.dcm", "label": NAME, "patient": IDENTIFIER})
    table = write_table(data / "films.csv", [{**row, "note": NAME, "born": BORN} for row in rows])
    out = tmp_path / "out"
    with caplog.at_level(logging.INFO):
        found = decoded(ingest(table, out, settings(max_bad_fraction=0.5)))
        source.fingerprint(str(table), settings())
    kept = {name for split in found.values() for name in split}
    assert {"kept.dcm", "byfile.dcm", *said_beside_pictures()} <= kept
    assert {"blank.dcm", "cut.dcm"} <= quarantine(out).keys()
    left_out = json.loads((out / "summary.json").read_text())["left_out"]
    assert left_out == {"not a frontal view": 1, "not a radiograph": 1, "of an adult": 1}
    shown = capfd.readouterr()
    left = {str(path): unpacked(path) for path in out.rglob("*") if path.is_file()}
    left |= {"log": caplog.text.encode(), "screen": (shown.out + shown.err).encode()}
    assert len(left) > 5
    for word in (*NAME.split("^"), IDENTIFIER, BORN):
        for place, content in left.items():
            assert word.encode() not in content, (word, place)
            assert word.lower().encode() not in content.lower(), (word, place)
