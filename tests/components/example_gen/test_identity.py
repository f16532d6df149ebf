import os
import stat
from pathlib import Path

import pytest

from components.example_gen.identity import VARIABLE, Key, dicom_patient, open_key
from components.films.errors import FilmError
from components.shared.errors import InputError
from support.dicom_files import EIGHT, dicom

# By openssl: printf '\0004711' | openssl dgst -sha256 -hmac secret; with the issuer H before it.
SECRET_4711 = "b594f7d3cee4abde547559ad65f2de5d"
SECRET_H_4711 = "0c6f52f0c9d7e44e592f0ea6b91da246"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_pseudonym_is_the_first_half_of_a_keyed_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("secret\n")
    by_file = open_key(str(file), str(tmp_path / "patient.key"))
    assert by_file.pseudonym("4711") == SECRET_4711
    assert by_file.pseudonym("4711", "H") == SECRET_H_4711
    file.write_text("other")
    assert open_key(str(file), None).pseudonym("4711") not in (SECRET_4711, SECRET_H_4711)
    # The variable goes before the file.
    monkeypatch.setenv(VARIABLE, "secret")
    assert open_key(str(file), None).pseudonym("4711") == SECRET_4711
    assert not (tmp_path / "patient.key").exists()


def test_a_key_of_the_run_is_made_once(tmp_path: Path) -> None:
    place = tmp_path / "run" / "patient.key"
    key = open_key(None, str(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    content = place.read_text()
    assert len(bytes.fromhex(content)) == 32
    assert open_key(None, str(place)) == key
    assert place.read_text() == content
    assert open_key(None, str(tmp_path / "other.key")).check != key.check


def test_the_key_is_no_part_of_what_travels(tmp_path: Path) -> None:
    place = tmp_path / "patient.key"
    key = open_key(None, str(place))
    assert place.read_text() not in repr(key)
    assert vars(key).keys() == {"place", "check"}


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_key_is_an_error(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(InputError, match=rf"^The patient key {file} is empty\.$"):
        open_key(str(file), None)
    monkeypatch.setenv(VARIABLE, content)
    with pytest.raises(InputError, match=rf"^The patient key in .* {VARIABLE} is empty\.$"):
        open_key(None, None)


def test_a_key_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^The films need a patient key: set CXR_PATIENT_KEY, or"):
        open_key(None, None)
    with pytest.raises(InputError, match=r"gone cannot be read\.$"):
        open_key(str(tmp_path / "gone"), None)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"patient\.key cannot be (read|written)\.$"):
        open_key(None, str(tmp_path / "file" / "patient.key"))


def test_another_key_where_a_worker_is_would_tear_patients_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "ours")
    key = open_key(None, None)
    monkeypatch.setenv(VARIABLE, "theirs")
    with pytest.raises(InputError, match="another one here than where the run began"):
        key.pseudonym("4711")
    del os.environ[VARIABLE]
    with pytest.raises(InputError, match="cannot be read"):
        Key("", key.check).pseudonym("4711")


def test_a_key_lies_in_a_bucket_too() -> None:
    place = "ram://bucket/keys/patient.key"
    assert open_key(None, place) == open_key(None, place)


def test_whose_a_dicom_film_is() -> None:
    assert dicom_patient(dicom(EIGHT)) == ("4711", "")
    assert dicom_patient(dicom(EIGHT, PatientID=" 12 ", IssuerOfPatientID="H")) == ("12", "H")
    assert dicom_patient(dicom(EIGHT, PatientID=None)) is None
    assert dicom_patient(dicom(EIGHT, PatientID="")) is None
    with pytest.raises(FilmError, match=r"^has a PatientID that cannot be read$"):
        dicom_patient(b"no DICOM")
