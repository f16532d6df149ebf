import hashlib
import io
import itertools
import json
import os
import random
import shutil
import struct
import time
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from conftest import MakeData
from PIL import Image

from components.example_gen import executor, files, plan
from components.example_gen.film import Film
from components.example_gen.images import inspect_image
from components.example_gen.record import to_example
from components.example_gen.settings import RunSettings
from components.shared.errors import BadFilmsError, InputError
from support.films import encode, tiny_film, write_films
from support.ingestion import ingest, quarantine

LAYOUT = {
    "train": {"NORMAL": 20, "PNEUMONIA": 50},
    "val": {"NORMAL": 2, "PNEUMONIA": 2},
    "test": {"NORMAL": 5, "PNEUMONIA": 7},
}


def settings(**changes: object) -> RunSettings:
    return RunSettings(seed=1, eval_fraction=0.2).changed(**changes)


def text(record: bytes, name: str) -> str:
    feature = tf.train.Example.FromString(record).features.feature[name]
    return str(feature.bytes_list.value[0].decode())


def number(record: bytes, name: str) -> int:
    return int(tf.train.Example.FromString(record).features.feature[name].int64_list.value[0])


def labels(examples: dict[str, bytes]) -> Counter[int]:
    return Counter(number(record, "label") for record in examples.values())


def test_splits_are_balanced_whole_and_of_different_patients(
    make_data: MakeData, tmp_path: Path
) -> None:
    data = make_data(LAYOUT)
    found = ingest(data, tmp_path / "out", settings())
    # 22 normals and 52 pneumonias in the pool; a fifth of each, at least, to eval.
    assert labels(found["eval"]) == {0: 5, 1: 11}
    assert labels(found["train"]) == {0: 17, 1: 17}
    assert labels(found["test"]) == {0: 5, 1: 7}
    patients = {s: {text(r, "patient") for r in found[s].values()} for s in found}
    assert not patients["train"] & patients["eval"]
    assert not patients["train"] & patients["test"]
    assert not patients["eval"] & patients["test"]
    images = [image(record) for split in found.values() for record in split.values()]
    assert len(images) == len(set(images))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["undersampled"] == {"train": {"PNEUMONIA": 52 - 11 - 17}}


def image(record: bytes) -> bytes:
    return bytes(tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0])


def test_an_example_is_the_file_and_its_facts(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    found = ingest(data, tmp_path / "out", settings())
    name = "test/PNEUMONIA/person8003_bacteria_3.jpeg"
    record = found["test"][name]
    assert image(record) == (data / name).read_bytes()
    assert text(record, "patient") == "person8003_bacteria"
    assert text(record, "subtype") == "bacteria"
    assert text(record, "polarity") == "positive"
    assert [number(record, key) for key in ("width", "height", "channels")] == [48, 40, 1]
    features = tf.train.Example.FromString(record).features.feature
    pixels = cv2.imread(str(data / name), cv2.IMREAD_UNCHANGED) / 255.0
    assert features["mean"].float_list.value[0] == pytest.approx(pixels.mean(), abs=1e-5)
    assert features["std"].float_list.value[0] == pytest.approx(pixels.std(), abs=1e-5)
    assert features["squashed"].float_list.value[:] == [1.0]


def test_a_square_of_the_public_set_tells_that_it_was_squashed(
    make_data: MakeData, tmp_path: Path
) -> None:
    data = make_data(LAYOUT)
    squares = {"train/NORMAL/IM-9001-0001.png": 1.212, "test/PNEUMONIA/person9_virus_1.png": 1.499}
    for number, name in enumerate(squares):
        (data / name).write_bytes(encode(cv2.resize(tiny_film(900 + number), (40, 40)), ".png"))
    found = ingest(data, tmp_path / "out", settings(undersampling="none"))
    records = {name: record for split in found.values() for name, record in split.items()}
    for name, expected in squares.items():
        features = tf.train.Example.FromString(records[name]).features.feature
        assert features["squashed"].float_list.value[0] == pytest.approx(expected)


def test_a_run_repeats_itself_to_the_order(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    one = ingest(data, tmp_path / "one", settings())
    two = ingest(data, tmp_path / "two", settings())
    assert [list(split.items()) for split in one.values()] == [
        list(split.items()) for split in two.values()
    ]
    other = ingest(data, tmp_path / "other", settings(seed=2))
    assert other["eval"].keys() != one["eval"].keys()
    assert other["test"] == one["test"]


def test_all_films_can_be_kept_and_val_can_be_eval(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    found = ingest(data, tmp_path / "out", settings(eval_from="val", undersampling="none"))
    assert labels(found["train"]) == {0: 20, 1: 50}
    assert labels(found["eval"]) == {0: 2, 1: 2}
    assert all(name.startswith("val/") for name in found["eval"])
    ratio = ingest(data, tmp_path / "ratio", settings(eval_from="val", undersampling=1.5))
    assert labels(ratio["train"]) == {0: 20, 1: 30}


def test_eval_from_a_val_folder_that_is_not_there_is_refused(
    make_data: MakeData, tmp_path: Path
) -> None:
    data = make_data({split: LAYOUT[split] for split in ("train", "test")})
    with pytest.raises(InputError) as caught:
        ingest(data, tmp_path / "out", settings(eval_from="val"))
    assert str(caught.value) == (
        "example_gen.eval_from is 'val', but the data set has no folder 'val': use 'pool'."
    )


def test_folders_of_other_case_and_stray_files(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    (data / "train" / "NORMAL").rename(data / "train" / "Normal")
    (data / "test").rename(data / "Test")
    (data / "train" / "PNEUMONIA" / ".DS_Store").write_bytes(b"\0\1")
    (data / "train" / "PNEUMONIA" / "._IM-1.jpeg").write_bytes(b"\0\1")
    (data / "train" / "PNEUMONIA" / "Thumbs.db").write_bytes(b"\0\1")
    (data / "__MACOSX").mkdir()
    (data / "Test" / "NORMAL" / "__MACOSX").mkdir()
    (data / "Test" / "NORMAL" / "IM-8999-0001.JPG").write_bytes(encode(tiny_film(77)))
    found = ingest(data, tmp_path / "out", settings())
    assert "Test/NORMAL/IM-8999-0001.JPG" in found["test"]
    assert labels(found["test"]) == {0: 6, 1: 7}
    assert quarantine(tmp_path / "out") == {}


def bad_files() -> dict[str, bytes]:
    """Thirty kinds of file that are no film, by name."""
    film = tiny_film(1, height=200, width=200)
    jpeg, png = encode(film), encode(film, ".png")
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0xFF
    broken_scan = bytearray(jpeg)
    broken_scan[len(jpeg) // 2 : len(jpeg) // 2 + 2] = b"\xff\x79"
    bomb = bytearray(png)
    bomb[16:24] = struct.pack(">II", 9_000, 9_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    huge_jpeg = bytearray(jpeg)
    frame = jpeg.index(b"\xff\xc0")
    huge_jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)

    def pillow(kind: str) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(film).save(buffer, kind)
        return buffer.getvalue()

    return {
        "empty.jpeg": b"",
        "one_byte.jpeg": b"\xff",
        "text.jpeg": b"this is not a film",
        "page.jpeg": b"<!DOCTYPE html><title>404</title>",
        "pdf.jpeg": b"%PDF-1.4\n%%EOF",
        "zip.png": b"PK\x03\x04" + bytes(100),
        "dicom.jpeg": bytes(128) + b"DICM" + bytes(100),
        "zeros.jpeg": bytes(5000),
        "noise.jpeg": random.Random(1).randbytes(5000),
        "gif.jpeg": pillow("GIF"),
        "bmp.jpeg": pillow("BMP"),
        "tiff.png": pillow("TIFF"),
        "webp.jpeg": pillow("WEBP"),
        "cut_in_header.jpeg": jpeg[:100],
        "cut_in_scan.jpeg": jpeg[: len(jpeg) // 2],
        "cut_at_end.jpeg": jpeg[:-2],
        "no_start.jpeg": jpeg[2:],
        "marker_in_scan.jpeg": bytes(broken_scan),
        "claims_huge.jpeg": bytes(huge_jpeg),
        "cut.png": png[: len(png) // 2],
        "no_end.png": png[:-12],
        "flipped_bit.png": bytes(flipped),
        "signature_only.png": png[:8],
        "bomb.png": bytes(bomb),
        "one_pixel.png": encode(film[:1, :1], ".png"),
        "strip.png": encode(np.tile(film[:40], (1, 3)), ".png"),
        "small.jpeg": encode(film[:31, :31]),
        "black.jpeg": encode(np.zeros((100, 100), np.uint8)),
        "white.png": encode(np.full((100, 100), 255, np.uint8), ".png"),
        "scan.dcm": bytes(128) + b"DICM",
    }


def test_bad_files_are_put_aside_and_no_good_one_is_lost(
    make_data: MakeData, tmp_path: Path
) -> None:
    data = make_data(LAYOUT)
    bad = bad_files()
    assert len(bad) == 30
    for name, content in bad.items():
        (data / "train" / "NORMAL" / name).write_bytes(content)
    (data / "train" / "NORMAL" / "nowhere.jpeg").symlink_to(data / "gone.jpeg")
    (data / "train" / "NORMAL" / "folder.jpeg").mkdir()
    os.mkfifo(data / "train" / "NORMAL" / "pipe.jpeg")
    (data / "train" / "NORMAL" / "two\rlines.jpeg").write_bytes(encode(tiny_film(77)))
    out = tmp_path / "out"
    how = settings(max_bad_fraction=0.9, undersampling="none")
    found = ingest(data, out, how)
    aside = quarantine(out)
    names = [*bad, "nowhere.jpeg", "folder.jpeg", "pipe.jpeg", r"two\rlines.jpeg"]
    assert set(aside) == {f"train/NORMAL/{name}" for name in names}
    assert all(aside.values())
    assert labels(found["train"]) + labels(found["eval"]) == {0: 22, 1: 52}
    assert aside["train/NORMAL/cut_in_scan.jpeg"].startswith("is a truncated JPEG")
    assert aside["train/NORMAL/bomb.png"] == "has 9000 x 9000 pixels; at most 50000000 are read"
    assert aside["train/NORMAL/folder.jpeg"] == "is a folder, not a file"
    assert "control characters" in aside[r"train/NORMAL/two\rlines.jpeg"]


def test_too_many_bad_files_stop_the_run_and_are_listed(
    make_data: MakeData, tmp_path: Path
) -> None:
    data = make_data(LAYOUT)
    for name in ("a.jpeg", "b.jpeg", "c.jpeg", "d.jpeg", "e.jpeg"):
        (data / "train" / "NORMAL" / name).write_bytes(b"no film")
    # 5 of 91 are more than 5 %, and less than 6 %.
    with pytest.raises(BadFilmsError, match=r"5 of 91 files.*max_bad_fraction=0.05") as caught:
        ingest(data, tmp_path / "out", settings())
    assert [name for name, _ in caught.value.quarantine] == [
        f"train/NORMAL/{letter}.jpeg" for letter in "abcde"
    ]
    ingest(data, tmp_path / "again", settings(max_bad_fraction=0.06))


def test_as_many_bad_files_as_are_allowed_are_allowed(tmp_path: Path) -> None:
    # 1 of 20 is 5 %, 1 of 19 is more.
    for number in (20, 19):
        lines = [
            Film("train/NORMAL/a.jpeg", "train", 0, "normal", "a", fate="quarantined").to_json()
        ]
        kept = ((split, label) for split in ("train", "eval", "test") for label in (0, 1))
        for row, (split, label) in zip(range(number - 1), itertools.cycle(kept), strict=False):
            lines.append(Film(f"{row}.jpeg", split, label, "normal", str(row)).to_json())
        manifest = tmp_path / f"manifest-{number}"
        manifest.with_name(f"{manifest.name}-0").write_text("\n".join(lines))
        if number == 20:
            summary = executor._conclude(str(tmp_path), str(manifest), settings())
            assert summary["quarantined"] == {"train": {"NORMAL": 1}}
        else:
            with pytest.raises(BadFilmsError, match="1 of 19 files"):
                executor._conclude(str(tmp_path), str(manifest), settings())


def test_undersampling_follows_from_the_seed() -> None:
    films = [Film(f"{row}.jpeg", "train", 1, "virus", str(row)) for row in range(40)]

    def staying(seed: int) -> set[str]:
        found = plan._undersample((1, films), {0: 10, 1: 40}, settings(seed=seed))
        return {film.file_name for film in found if film.fate == "kept"}

    assert len(staying(1)) == 10
    assert staying(1) == staying(1) != staying(2)


def test_a_film_that_changed_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    content = encode(tiny_film(1))
    (tmp_path / "a.jpeg").write_bytes(content)
    facts = inspect_image(content, settings())
    digest = hashlib.sha256(content).hexdigest()
    checked = Film("a.jpeg", "train", 0, "normal", "a", sha256=digest, facts=facts)
    assert image(to_example(checked, str(tmp_path))) == content
    (tmp_path / "a.jpeg").write_bytes(encode(tiny_film(2)))
    with pytest.raises(InputError, match=r"^a\.jpeg changed while it was being ingested"):
        to_example(checked, str(tmp_path))


def test_duplicates_inside_train_are_kept_once(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    folder = data / "train" / "NORMAL"
    film = (folder / "IM-1001-0001.jpeg").read_bytes()
    (folder / "IM-1001-0002.jpeg").write_bytes(film)
    (folder / "IM-1901-0001.jpeg").write_bytes(film)
    test_film = (data / "test" / "NORMAL" / "IM-8001-0001.jpeg").read_bytes()
    (data / "test" / "NORMAL" / "IM-8901-0001.jpeg").write_bytes(test_film)
    found = ingest(data, tmp_path / "out", settings(undersampling="none"))
    names = {**found["train"], **found["eval"]}
    assert "train/NORMAL/IM-1001-0001.jpeg" in names
    assert "train/NORMAL/IM-1001-0002.jpeg" not in names
    assert "train/NORMAL/IM-1901-0001.jpeg" not in names
    assert labels(found["test"]) == {0: 6, 1: 7}


def test_a_leak_stops_the_run_with_the_names(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    film = (data / "train" / "NORMAL" / "IM-1001-0001.jpeg").read_bytes()
    (data / "test" / "NORMAL" / "IM-8901-0001.jpeg").write_bytes(film)
    with pytest.raises(
        InputError, match=r"the same image is in test and train: .*IM-8901.*IM-1001"
    ):
        ingest(data, tmp_path / "out", settings())
    (data / "test" / "NORMAL" / "IM-8901-0001.jpeg").unlink()
    (data / "test" / "NORMAL" / "IM-1001-0009.jpeg").write_bytes(encode(tiny_film(999)))
    with pytest.raises(InputError, match="patient IM-1001 is in test and train"):
        ingest(data, tmp_path / "out2", settings())


@pytest.mark.parametrize(("leaks", "more"), [(5, ""), (7, " (and 2 more)")])
def test_of_many_leaks_five_are_told(
    make_data: MakeData, tmp_path: Path, leaks: int, more: str
) -> None:
    data = make_data(LAYOUT)
    for number, film in enumerate(sorted((data / "train" / "NORMAL").iterdir())[:leaks]):
        shutil.copyfile(film, data / "test" / "NORMAL" / f"IM-{8901 + number}-0001.jpeg")
    with pytest.raises(InputError) as caught:
        ingest(data, tmp_path / "out", settings())
    told = str(caught.value)
    assert told.startswith(f"The data set {data} leaks or cannot be split: ")
    sentences = told.split(": ", 1)[1].split("; ")
    assert len(sentences) == 5
    assert sentences == sorted(sentences)
    assert all("the same image is in test and train" in sentence for sentence in sentences)
    assert told.endswith(f"{more}.")
    assert ("more)" in told) == bool(more)


def test_a_patient_with_many_films_stays_together(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data(LAYOUT)
    for patient in range(10):
        for film in range(5):
            name = f"person{2000 + patient}_virus_{film}.jpeg"
            content = encode(tiny_film(5000 + 10 * patient + film, pneumonia=True))
            (data / "train" / "PNEUMONIA" / name).write_bytes(content)
    found = ingest(data, tmp_path / "out", settings(undersampling="none"))
    counts = {s: Counter(text(r, "patient") for r in found[s].values()) for s in ("train", "eval")}
    for patient in range(10):
        key = f"person{2000 + patient}_virus"
        assert sorted([counts["train"][key], counts["eval"][key]]) == [0, 5]


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        ("no data", "does not exist"),
        ("no train", "has no folder 'train'"),
        ("no class", "has no folder 'NORMAL'"),
        ("empty class", "holds no images"),
        ("nested", "did you mean .*chest_xray/chest_xray"),
    ],
)
def test_layout_errors_name_the_folder(tmp_path: Path, breakage: str, message: str) -> None:
    data = tmp_path / "chest_xray"
    inner = data / "chest_xray" if breakage == "nested" else data
    write_films(inner, LAYOUT)
    if breakage == "no data":
        data = tmp_path / "elsewhere"
    elif breakage == "no train":
        (data / "train").rename(data / "training")
    elif breakage == "no class":
        (data / "train" / "NORMAL").rename(data / "train" / "HEALTHY")
    elif breakage == "empty class":
        for film in (data / "train" / "NORMAL").iterdir():
            film.unlink()
    with pytest.raises(InputError, match=message):
        files.find_class_folders(str(data))


def test_the_fingerprint_tells_one_changed_byte(make_data: MakeData) -> None:
    data = make_data(LAYOUT)
    before = files.fingerprint(str(data))
    assert files.fingerprint(str(data)) == before
    film = data / "test" / "NORMAL" / "IM-8001-0001.jpeg"
    content = bytearray(film.read_bytes())
    content[-10] ^= 1
    time.sleep(0.02)  # the kernel's clock ticks every few milliseconds
    film.write_bytes(content)
    changed = files.fingerprint(str(data))
    assert changed != before
    film.rename(film.with_name("IM-8001-0002.jpeg"))
    assert files.fingerprint(str(data)) not in (before, changed)
