import gzip
import io
from collections.abc import Sequence

import pandas as pd
import pytest

from components.example_gen import tables
from components.example_gen.film import KEPT, QUARANTINED, Film
from components.example_gen.layouts import LAYOUTS, Layout, is_table_name, layout_of
from components.example_gen.settings import TableSettings
from components.shared.artifacts import LEFT_OUT
from components.shared.errors import InputError
from support.tables import Rows, table_bytes

PLAIN = LAYOUTS["plain"]


def listed(
    data: bytes | Rows,
    layout: Layout = PLAIN,
    *,
    there: Sequence[str] | None = None,
    adults: bool = False,
    name: str = "films.csv",
) -> dict[str, Film]:
    """The films of a table by name; all are there, or those that are named."""
    content = data if isinstance(data, bytes) else table_bytes(data)
    table = tables.read(content, name, layout)

    def find(places: Sequence[str]) -> str | None:
        return next((place for place in places if there is None or place in there), None)

    films = tables.list_films(table, find, lambda patient: f"<{patient}>", adults)
    found = {film.file_name: film for film in films}
    assert len(found) == len(films)
    return found


def told(films: dict[str, Film]) -> dict[str, int | str]:
    """The label of each film that is kept, the reason of each other."""
    return {
        name: film.label if film.fate == KEPT and film.label is not None else film.reason
        for name, film in films.items()
    }


def test_a_plain_table() -> None:
    films = listed(
        b"path,label,patient,split,subtype,note\n"
        b"a.png,NORMAL,17,train,,Jane Doe\n"
        b"b/c.jpeg,pneumonia,18,Val,viral,\n"
        b"d.dcm,1,,TEST,bacteria,\n"
        b"b\\e.png,0,19,dev,,\n"
    )
    assert films == {
        "a.png": Film("a.png", "train", 0, "normal", "<17>"),
        "b/c.jpeg": Film("b/c.jpeg", "val", 1, "virus", "<18>"),
        "b/e.png": Film("b/e.png", "val", 0, "normal", "<19>"),
        "d.dcm": Film("d.dcm", "test", 1, "bacteria", ""),
    }


def test_a_table_needs_no_more_than_paths_and_labels() -> None:
    films = listed(b"label,path\n1,person7_virus_1.jpeg\n0.0,x.png\n1,y.png\n")
    assert films == {
        "person7_virus_1.jpeg": Film("person7_virus_1.jpeg", "train", 1, "virus", ""),
        "x.png": Film("x.png", "train", 0, "normal", ""),
        "y.png": Film("y.png", "train", 1, "unknown", ""),
    }


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "parquet", "semicolons", "excel"])
def test_every_kind_of_table_says_the_same(kind: str) -> None:
    rows = [
        {"path": "a.png", "label": 1, "patient": 7},
        {"path": "b.png", "label": 0, "patient": None},
        {"path": "c.png", "label": None, "patient": 9},
    ]
    text = b"path,label,patient\na.png,1,7\nb.png,0,\nc.png,,9\n"
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    content = {
        "csv": text,
        "csv.gz": gzip.compress(text),
        "tsv": text.replace(b",", b"\t"),
        "parquet": file.getvalue(),
        "semicolons": text.replace(b",", b";"),
        "excel": b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b",,\r\n",
    }[kind]
    suffix = kind if "." in kind or kind in ("csv", "tsv", "parquet") else "csv"
    films = listed(content, name=f"films.{suffix}")
    assert told(films) == {"a.png": 1, "b.png": 0, "c.png": "no label"}
    assert [film.patient for film in films.values()] == ["<7>", "", "<9>"]


def test_rows_of_one_film() -> None:
    films = listed(
        b"path,label,patient\n"
        b"same.png,1,1\nsame.png,1,1\n./same.png,PNEUMONIA,1\n"
        b"other.png,1,2\nother.png,0,2\n"
        b"half.png,1,3\nhalf.png,,3\n"
        b"none.png,,4\nnone.png,,4\n"
        b"two.png,0,5\ntwo.png,0,6\n"
    )
    assert told(films) == {
        "same.png": 1,
        "other.png": "its rows differ in the label",
        "half.png": "its rows differ in the label",
        "none.png": "no label",
        "two.png": "its rows differ in the patient",
    }
    assert films["other.png"].fate == films["two.png"].fate == QUARANTINED
    assert films["other.png"].label is None
    assert films["none.png"].fate == LEFT_OUT


def test_what_the_table_says_of_no_usable_film_is_put_aside() -> None:
    films = listed(
        b"path,label,note\n"
        b"a/../b.png,1,\n"
        b"../secret/Doe.png,1,\n"
        b"a/../../Doe.png,1,\n"
        b"/srv/Doe.png,0,\n"
        b"C:\\films\\Doe.png,0,\n"
        b"gs://bucket/Doe.png,0,\n"
        b",1,\n"
        b"..,1,\n"
        b"gone.png,1,\n"
        b"what.png,Doe,\n"
        b",,Doe\n",
        there=["b.png", "what.png"],
    )
    outside = "its path leads out of the table's folder"
    assert told(films) == {
        "b.png": 1,
        "row 3 of the table": outside,
        "row 4 of the table": outside,
        "row 5 of the table": outside,
        "row 6 of the table": outside,
        "row 7 of the table": outside,
        "row 8 of the table": "the table has no path for it",
        "row 9 of the table": outside,
        "gone.png": "the table names it, and no such file is there",
        "what.png": "its label is none that example_gen.table knows",
    }
    assert {film.fate for film in films.values()} == {KEPT, QUARANTINED}
    assert "Doe" not in repr(films)


def test_views_and_ages_leave_films_out() -> None:
    content = (
        b"path,label,view,age\n"
        b"a.png,1,PA,4\nb.png,1,Lateral,4\nc.png,1,,17.9\nd.png,1,ap,18\n"
        b"e.png,0,PA,058Y\nf.png,0,PA,215M\ng.png,0,PA,216M\nh.png,0,PA,what\n"
    )
    adult = "of an adult"
    assert told(listed(content)) == {
        "a.png": 1,
        "b.png": "not a frontal view",
        "c.png": 1,
        "d.png": adult,
        "e.png": adult,
        "f.png": 0,
        "g.png": adult,
        "h.png": 0,
    }
    assert set(told(listed(content, adults=True)).values()) == {0, 1, "not a frontal view"}


def test_single_fields_go_before_the_layout() -> None:
    layout = layout_of(
        TableSettings(
            path="File",
            label="Befund",
            pneumonia=["Pneumonie"],
            normal=["o.B."],
            uncertain=["V.a."],
            other_findings=["Erguss"],
            separator="/",
            patient="MRN",
            places=["films/{folder}/{path}.png"],
            folder="Jahr",
            view="Projektion",
            frontal=["p.a."],
        )
    )
    films = listed(
        "File;Befund;MRN;Jahr;Projektion\n"
        "1;Pneumonie / Erguss;8;2020;P.A.\n"
        "2;o.B.;8;2020;p.a.\n"
        "3;V.a./Erguss;8;2021;p.a.\n"
        "4;Erguss;8;2021;p.a.\n"
        "5;o.B.;8;2021;seitlich\n"
        "6;o.B./Erguss;8;2021;\n"
        "7;Röntgen;8;2021;\n".encode(),
        layout,
    )
    assert told(films) == {
        "films/2020/1.png": 1,
        "films/2020/2.png": 0,
        "films/2021/3.png": "uncertain",
        "films/2021/4.png": "other findings",
        "films/2021/5.png": "not a frontal view",
        "films/2021/6.png": "other findings",
        "films/2021/7.png": "its label is none that example_gen.table knows",
    }
    assert {film.patient for film in films.values()} == {"<8>"}


def test_rsna() -> None:
    boxes = (
        b"patientId,x,y,width,height,Target\n"
        b"0004cfab,,,,,0\n"
        b"00436515,264.0,152.0,213.0,379.0,1\n"
        b"00436515,562.0,152.0,256.0,453.0,1\n"
    )
    films = listed(boxes, LAYOUTS["rsna"])
    one, two = (f"stage_2_train_images/{name}.dcm" for name in ("0004cfab", "00436515"))
    assert films == {
        one: Film(one, "train", 0, "normal", "<0004cfab>"),
        two: Film(two, "train", 1, "unknown", "<00436515>"),
    }
    classes = (
        b"patientId,class\n"
        b"0004cfab,No Lung Opacity / Not Normal\n"
        b"00313ee0,Normal\n"
        b"00436515,Lung Opacity\n"
        b"00436515,Lung Opacity\n"
    )
    assert told(listed(classes, LAYOUTS["rsna"])) == {
        one: "other findings",
        "stage_2_train_images/00313ee0.dcm": 0,
        two: 1,
    }


@pytest.mark.parametrize("end", [",", ""])
def test_nih(end: str) -> None:
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        f"View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]{end}\n"
    )
    rest = f"2682,2749,0.143,0.143{end}\n"
    content = header + "".join(
        f"{row},{rest}"
        for row in (
            "00000001_000.png,Cardiomegaly|Emphysema,0,1,9,M,PA",
            "00000002_000.png,No Finding,0,2,058Y,M,PA",
            "00000003_000.png,Pneumonia,0,3,011Y,F,AP",
            "00000003_001.png,Infiltration|Pneumonia,1,3,12,F,AP",
            "00000004_000.png,No Finding,0,4,7,F,PA",
        )
    )
    there = ["images_001/images/00000003_000.png", "images_012/images/00000004_000.png"]
    there += [f"images/{name}.png" for name in ("00000001_000", "00000002_000", "00000003_001")]
    films = listed(content.encode(), LAYOUTS["nih"], there=there)
    assert told(films) == {
        "images/00000001_000.png": "other findings",
        "images/00000002_000.png": "of an adult",
        "images_001/images/00000003_000.png": 1,
        "images/00000003_001.png": 1,
        "images_012/images/00000004_000.png": 0,
    }
    assert films["images/00000003_001.png"].patient == "<3>"
    assert (
        told(listed(content.encode(), LAYOUTS["nih"], there=there, adults=True))[
            "images/00000002_000.png"
        ]
        == 0
    )


def test_chexpert() -> None:
    header = (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
        "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
        "Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
    )
    rows = (
        "patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0",
        "patient00002/study1/view1_frontal.jpg,Male,8,Frontal,PA,,,,,,,,1.0,,,,,,",
        "patient00002/study2/view1_frontal.jpg,Male,8,Frontal,PA,,,,,,,,-1.0,,,,,,",
        "patient00002/study2/view2_lateral.jpg,Male,8,Lateral,,,,,,,,,1.0,,,,,,",
        "patient00003/study1/view1_frontal.jpg,Male,8,Frontal,PA,,,1.0,,,,,0.0,,,,,,",
    )
    content = header + "".join(f"CheXpert-v1.0-small/train/{row}\n" for row in rows)
    # The table lies in CheXpert-v1.0-small.
    there = [f"train/{row.split(',')[0]}" for row in rows]
    films = listed(content.encode(), LAYOUTS["chexpert"], there=there, adults=True)
    assert told(films) == dict(
        zip(there, (0, 1, "uncertain", "not a frontal view", "other findings"), strict=True)
    )
    assert films[there[1]].patient == "<patient00002>"
    # Beside the films' folder.
    beside = [f"CheXpert-v1.0-small/{name}" for name in there]
    films = listed(content.encode(), LAYOUTS["chexpert"], there=beside)
    assert told(films)[beside[0]] == "of an adult"
    assert told(films)[beside[1]] == 1


def test_padchest() -> None:
    header = (
        ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,Projection,Pediatric,"
        "Report,Labels\n"
    )
    rows = (
        "0,1.png,0,20140915,20,9,1960.0,PA,PED,Doe,\"['pneumonia', 'infiltrates']\"",
        "1,2.png,12,20140915,21,8,1960.0,AP_horizontal,PED,Doe,\"[' normal ']\"",
        "2,3.png,12,20140915,21,8,1960.0,L,PED,Doe,['normal']",
        "3,4.png,12,20140915,21,8,1960.0,PA,No,Doe,['normal']",
        "4,5.png,12,20140915,21,8,1960.0,PA,PED,Doe,\"['normal', 'scoliosis', '']\"",
        "5,6.png,12,20140915,21,8,1960.0,COSTAL,PED,Doe,['normal']",
        "6,7.png,12,20140915,21,8,1960.0,PA,PED,Doe,",
        "7,8.png,12,20140915,21,8,1960.0,PA,PED,Doe,['normal'",
        "8,9.png,12,20140915,21,8,1960.0,AP,PED,Doe,['atypical pneumonia']",
    )
    content = (header + "\n".join(rows)).encode()
    places = [f"12/{number}.png" for number in range(2, 9)]
    films = listed(content, LAYOUTS["padchest"], there=["0/1.png", *places, "9.png"])
    unknown = "its label is none that example_gen.table knows"
    assert told(films) == {
        "0/1.png": 1,
        "12/2.png": 0,
        "12/3.png": "not a frontal view",
        "12/4.png": "of an adult",
        "12/5.png": "other findings",
        "12/6.png": "not a frontal view",
        "12/7.png": "no label",
        "12/8.png": unknown,
        "9.png": 1,
    }
    assert films["0/1.png"].patient == "<9>"
    assert "Doe" not in repr(tables.read(content, "films.csv", LAYOUTS["padchest"]))


def test_vindr() -> None:
    header = (
        "image_id,rad_ID,No finding,Bronchitis,Brocho-pneumonia,Other disease,Bronchiolitis,"
        "Situs inversus,Pneumonia,Pleuro-pneumonia,Tuberculosis\n"
    )
    rows = ("aa,R1,0,0,1,0,0,0,0,0,0", "bb,R1,1,0,0,0,0,0,0,0,0", "cc,R2,0,1,0,0,0,0,0,0,0")
    more = ("dd,R2,0,0,0,0,0,0,0,1,0", "ee,R2,0,1,0,0,0,0,1,0,0", "ff,R2,1,0,0,0,0,0,1,0,0")
    content = (header + "\n".join([*rows, *more])).encode()
    there = [f"train/{name}.dicom" for name in ("aa", "bb", "cc", "dd", "ff")]
    assert told(listed(content, LAYOUTS["vindr"], there=[*there, "test/ee.dicom"])) == {
        "train/aa.dicom": 1,
        "train/bb.dicom": 0,
        "train/cc.dicom": "other findings",
        "train/dd.dicom": 1,
        "test/ee.dicom": 1,
        "train/ff.dicom": "the table says normal and pneumonia",
    }
    other = content.replace(b"Brocho", b"Broncho")
    assert told(listed(other, LAYOUTS["vindr"]))["train/aa.dicom"] == 1


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (
            b"file,label\na.png,1\n",
            {},
            "The table films.csv has no column 'path', which example_gen.table.path names; there "
            "are file, label.",
        ),
        (b"path,y\na.png,1\n", {}, "no column 'label', which example_gen.table.label names"),
        (b"path,label\na.png,1\n", {"patient": "mrn"}, "'mrn', which example_gen.table.patient"),
        (b"patientId,x\n1,2\n", {"layout": "rsna"}, "no column 'class' or 'Target', which"),
        (b"Path,Age\na,2\n", {"layout": "chexpert"}, "'Pneumonia', which example_gen.table.pneum"),
        (b"Doe/1.png,1\nDoe/2.png,0\n", {}, "has a film in its first row, not names of columns"),
        (
            b"path,label,split\na.png,1,train\nb.png,1,Doe\n",
            {},
            "has in row 3, column 'split', no split: known are train, val, valid, validation, eval",
        ),
        (b"path,label\n", {}, "has no row"),
        (b"", {}, "is empty"),
        (b"path,label\na,1\nDoe,2,3,4\n", {}, "more cells than columns in row 3: a cell"),
        ("path,label\nMüller.png,1\n".encode("latin-1"), {}, "is not UTF-8: save it as such"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(
    content: bytes, settings: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        tables.read(content, "films.csv", layout_of(TableSettings.model_validate(settings)))
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv.gz", "x.parquet"])
def test_a_broken_table_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=f"The table {name} cannot be read"):
        tables.read(b"path,label\na.png,1\n", name, PLAIN)


def test_which_files_are_tables() -> None:
    names = ("a.csv", "A.CSV", "a.csv.gz", "a.tsv", "a.parquet")
    assert all(is_table_name(name) for name in names)
    assert not any(is_table_name(name) for name in ("a", "a.xlsx", "csv", "a.gz", "a.csv/b"))
