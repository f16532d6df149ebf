import pickle
from typing import Any

import pytest
from pydicom.dataset import Dataset

from components.films.dicom import to_png
from components.films.errors import FilmError, NotMeantError
from support.dicom_files import EIGHT, IDENTIFIER, NAME, dicom
from support.films import TINY

LIMITS = TINY


def code(value: str, scheme: str, meaning: str = "") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "MR"}, "is no radiograph: its Modality is MR"),
        ({"Modality": None}, "its Modality is missing"),
        ({"BodyPartExamined": "HAND"}, "its BodyPartExamined is HAND"),
        ({"ViewPosition": "LL"}, "its ViewPosition is LL, not AP or PA"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for processing and not for presentation"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "for processing"),
        (
            {"ViewCodeSequence": code("R-10236", "SRT", "left lateral")},
            "ViewCodeSequence is LeftLateral",
        ),
        ({"ViewCodeSequence": code("399173006", "SCT")}, "is LeftLateral"),
        ({"ViewCodeSequence": code("X1", "99ACME", "Right Anterior Oblique")}, "is another view's"),
        ({"AnatomicRegionSequence": code("T-D8700", "SRT", "Hand")}, "Sequence is Hand"),
        ({"AnatomicRegionSequence": code("85562004", "SCT")}, "is Hand"),
        ({"AnatomicRegionSequence": code("H", "99ACME", "Hand")}, "is another region's"),
        ({"PatientOrientation": ["A", "F"]}, "no frontal radiograph by its PatientOrientation"),
        ({"PatientOrientation": ["PL", "F"]}, "no frontal radiograph by its PatientOrientation"),
        ({"PatientOrientation": ["F", "L"]}, "is not upright by its PatientOrientation"),
        ({"PatientOrientation": ["L", "H"]}, "is not upright by its PatientOrientation"),
        ({"PatientAge": "018Y"}, "is of an adult"),
        ({"PatientAge": "216M"}, "is of an adult"),
        ({"PatientAge": "51"}, "is of an adult"),
        ({"PatientBirthDate": "20020301", "StudyDate": "20200301"}, "is of an adult"),
    ],
)
def test_what_is_no_frontal_chest_film_of_a_child_is_refused(
    tags: dict[str, Any], reason: str
) -> None:
    with pytest.raises(FilmError, match=reason) as caught:
        to_png(dicom(EIGHT, **tags), LIMITS)
    for word in (NAME, IDENTIFIER, "2002", "2020"):
        assert word not in str(caught.value)


@pytest.mark.parametrize(
    "keyword",
    [
        "Modality",
        "BodyPartExamined",
        "ViewPosition",
        "PresentationIntentType",
        "PatientAge",
        "VOILUTFunction",
        "PresentationLUTShape",
        "PhotometricInterpretation",
    ],
)
def test_a_name_in_any_tag_reaches_no_message(keyword: str) -> None:
    tags = {keyword: "DOE JANE", "WindowCenter": 99, "WindowWidth": 99}
    message = ""
    try:
        to_png(dicom(EIGHT, **tags), LIMITS)
    except FilmError as error:
        message = str(error)
    assert "DOE" not in message


@pytest.mark.parametrize(
    "tags",
    [
        {"BodyPartExamined": None},
        {"ViewPosition": None},
        {"BodyPartExamined": "THORAX AP"},
        {"PresentationIntentType": "FOR PRESENTATION"},
        {"ViewCodeSequence": code("R-10206", "SRT", "antero-posterior")},
        {"ViewCodeSequence": code("R-10214", "SRT", "postero-anterior")},
        {"ViewCodeSequence": code("399348003", "SCT")},
        {"ViewCodeSequence": code("X2", "99ACME", "Bett")},
        {"ViewCodeSequence": []},
        {"AnatomicRegionSequence": code("T-D3000", "SRT", "Chest")},
        {"AnatomicRegionSequence": code("816094009", "SCT")},
        {"AnatomicRegionSequence": code("39607008", "SCT", "Lung")},
        {"AnatomicRegionSequence": code("C", "99ACME", "Chest PA")},
        {"PatientOrientation": ["L", "F"]},
        {"PatientOrientation": ["RH", "FR"]},
        {"PatientOrientation": ["", ""]},
        {"PatientOrientation": "AF"},
        {"PatientOrientation": None},
        {"PatientAge": "017Y"},
        {"PatientAge": "4"},
        {"PatientAge": "215M"},
        {"PatientAge": "900D"},
        {"PatientAge": "old"},
        {"PatientBirthDate": "20020302", "StudyDate": "20200301"},
        {"PatientBirthDate": "19500101"},
        {"PatientBirthDate": "?", "StudyDate": "20200301"},
    ],
)
def test_what_may_be_one_is_read(tags: dict[str, Any]) -> None:
    to_png(dicom(EIGHT, **tags), LIMITS)


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"Modality": "MR"}, "not a radiograph"),
        ({"BodyPartExamined": "HAND"}, "not of the chest"),
        ({"AnatomicRegionSequence": code("85562004", "SCT")}, "not of the chest"),
        ({"ViewPosition": "LL"}, "not a frontal view"),
        ({"ViewCodeSequence": code("399173006", "SCT")}, "not a frontal view"),
        ({"PatientOrientation": ["A", "F"]}, "not a frontal view"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for processing, not for presentation"),
        ({"PatientAge": "018Y"}, "of an adult"),
    ],
)
def test_sound_films_of_something_else_are_told_apart_by_kind(
    tags: dict[str, Any], kind: str
) -> None:
    with pytest.raises(NotMeantError) as caught:
        to_png(dicom(EIGHT, **tags), LIMITS)
    assert caught.value.kind == kind
    # It passes between processes.
    assert pickle.loads(pickle.dumps(caught.value)).kind == kind


@pytest.mark.parametrize("tags", [{"Modality": None}, {"PatientOrientation": ["F", "L"]}])
def test_what_a_film_fails_to_say_makes_it_a_bad_one(tags: dict[str, Any]) -> None:
    with pytest.raises(FilmError) as caught:
        to_png(dicom(EIGHT, **tags), LIMITS)
    assert not isinstance(caught.value, NotMeantError)


def test_a_name_in_any_tag_reaches_no_log(caplog: pytest.LogCaptureFixture) -> None:
    content = dicom(EIGHT, PatientAge="DOE JANE", PatientBirthDate="DOE")
    caplog.clear()
    to_png(content, LIMITS)
    assert "DOE" not in caplog.text


def test_adults_are_read_where_a_setting_says_so() -> None:
    to_png(dicom(EIGHT, PatientAge="070Y"), TINY.changed(adults=True))
