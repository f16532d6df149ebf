"""Whether a DICOM object is a frontal chest radiograph that may be read, as far as its tags tell.

What is not said is not held against a film. No message has anything that tells the patient: of
what a tag holds it has the standard's terms alone, since a name may stand anywhere.
"""

import logging
import re
from datetime import date, datetime

import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from components.films.errors import (
    FOR_PROCESSING,
    NO_RADIOGRAPH,
    NOT_CHEST,
    NOT_FRONTAL,
    OF_AN_ADULT,
    FilmError,
    NotMeantError,
)
from components.shared.ages import ADULT, years
from components.shared.limits import FilmLimits

# pydicom logs values that break a rule of the standard, and a name may be one.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

# Computed, digital and digitised radiographs: DICOM PS3.3, C.7.3.1.1.1.
_MODALITIES = ("CR", "DX", "RG")
_BODY_PARTS = ("CHEST", "THORAX", "LUNG")
_FRONTAL = ("AP", "PA")
# Digital X-ray, mammography and intra-oral images as the detector gave them (PS3.4, B.5): grey
# levels and polarity are not those of a film (PS3.3, C.8.11.3).
_FOR_PROCESSING = tuple(f"1.2.840.10008.5.1.4.1.1.1.{kind}.1" for kind in ("1", "2", "3"))
# Of the context groups of views (PS3.16, CID 4010) and of regions (CID 4031).
_FRONTAL_VIEWS = ("AnteroPosterior", "PosteroAnterior", "Frontal")
_CHEST_REGIONS = ("Chest",)
# What a view's meaning names in every vocabulary, where it is not frontal.
_OTHER_VIEWS = re.compile(r"LATERAL|OBLIQUE|AXIAL|TANGENTIAL|SAGITTAL|LORDOTIC|DECUBITUS")
_CHEST_CODES = (
    Code("51185008", "SCT", "Thoracic structure"),
    Code("39607008", "SCT", "Lung structure"),
)
# Terms of the standard that are named where they are the reason: modalities, views, body parts.
_TERMS = (
    *("CT", "MR", "US", "MG", "PT", "NM", "XA", "RF", "OT", "SC", "SR", "PR", "KO", "SEG", "IO"),
    *("LL", "RL", "LLD", "RLD", "LLO", "RLO"),
    *("ABDOMEN", "ANKLE", "ARM", "CSPINE", "ELBOW", "FOOT", "HAND", "HEAD", "HIP", "KNEE", "LEG"),
    *("LSPINE", "NECK", "PELVIS", "SHOULDER", "SKULL", "SPINE", "TSPINE", "WRIST"),
)
# Anonymised archives write years alone, against the standard.
_AGE = re.compile(r"(\d{1,3})([DWMY]?)")


def check_tags(dataset: pydicom.Dataset, limits: FilmLimits) -> None:
    """Raises FilmError for what is no single frontal radiograph of a child's chest.

    It is NotMeantError where the tags say of what else it is.
    """
    modality = text_of(dataset, "Modality")
    if modality not in _MODALITIES:
        reason = (
            f"is no radiograph: its Modality is {_term(modality)}, not one of "
            f"{', '.join(_MODALITIES)}"
        )
        raise NotMeantError(reason, NO_RADIOGRAPH) if modality else FilmError(reason)
    intent = text_of(dataset, "PresentationIntentType")
    if text_of(dataset, "SOPClassUID") in _FOR_PROCESSING or intent == "FOR PROCESSING":
        raise NotMeantError(
            "is what the detector measured, for processing and not for presentation: its greys "
            "are not those of a film",
            FOR_PROCESSING,
        )
    _check_region(dataset)
    _check_view(dataset)
    if not limits.adults and _is_adult(dataset):
        raise NotMeantError("is of an adult, for whom the model was not made", OF_AN_ADULT)


def _check_region(dataset: pydicom.Dataset) -> None:
    part = text_of(dataset, "BodyPartExamined")
    if part and not any(name in part for name in _BODY_PARTS):
        raise NotMeantError(
            f"is no chest radiograph: its BodyPartExamined is {_term(part)}", NOT_CHEST
        )
    code = _code(dataset, "AnatomicRegionSequence")
    if code is None or code in _CHEST_CODES:
        return
    known = _known(code, "cid4031")
    if known in _CHEST_REGIONS:
        return
    if known or (code.meaning and not any(name in code.meaning.upper() for name in _BODY_PARTS)):
        region = known or "another region's"
        raise NotMeantError(
            f"is no chest radiograph: its AnatomicRegionSequence is {region}", NOT_CHEST
        )


def _check_view(dataset: pydicom.Dataset) -> None:
    view = text_of(dataset, "ViewPosition")
    if view and view not in _FRONTAL:
        raise NotMeantError(
            f"is no frontal radiograph: its ViewPosition is {_term(view)}, not AP or PA",
            NOT_FRONTAL,
        )
    code = _code(dataset, "ViewCodeSequence")
    if code is not None:
        known = _known(code, "cid4010")
        if known not in (None, *_FRONTAL_VIEWS) or _OTHER_VIEWS.search(code.meaning.upper()):
            other = known or "another view's"
            raise NotMeantError(
                f"is no frontal radiograph: its ViewCodeSequence is {other}", NOT_FRONTAL
            )
    # Where rows and columns go to, such as L\F: each begins with the main direction.
    said = dataset.get("PatientOrientation") or ()
    orientation = [str(way).upper() for way in ([said] if isinstance(said, str) else said)]
    if len(orientation) == 2 and all(orientation):
        across, down = (way[0] for way in orientation)
        if {across, down} & {"A", "P"}:
            raise NotMeantError("is no frontal radiograph by its PatientOrientation", NOT_FRONTAL)
        if down != "F" or across not in "LR":
            raise FilmError("is not upright by its PatientOrientation")


def _is_adult(dataset: pydicom.Dataset) -> bool:
    if match := _AGE.fullmatch(text_of(dataset, "PatientAge")):
        return years(int(match[1]), match[2]) >= ADULT
    born = _date(dataset, "PatientBirthDate")
    keywords = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")
    taken = next((day for key in keywords if (day := _date(dataset, key))), None)
    if born is None or taken is None:
        return False
    return taken.year - born.year - ((taken.month, taken.day) < (born.month, born.day)) >= ADULT


def _date(dataset: pydicom.Dataset, keyword: str) -> date | None:
    try:
        return datetime.strptime(text_of(dataset, keyword), "%Y%m%d").date()
    except ValueError:
        return None


def _code(dataset: pydicom.Dataset, keyword: str) -> Code | None:
    items = dataset.get(keyword)
    if not items:
        return None
    value = text_of(items[0], "CodeValue") or text_of(items[0], "LongCodeValue")
    scheme = text_of(items[0], "CodingSchemeDesignator")
    return Code(value, scheme, str(items[0].get("CodeMeaning") or ""))


def _known(code: Code, group: str) -> str | None:
    """Returns the name of a code in one of the standard's context groups."""
    members = getattr(codes, group)
    return next((name for name in members.dir() if getattr(members, name) == code), None)


def _term(value: str) -> str:
    """Returns what a message may say of a tag's value."""
    if not value:
        return "missing"
    return value if value in _TERMS else "another"


def text_of(dataset: pydicom.Dataset, keyword: str) -> str:
    """Returns a tag's text in capitals; empty where there is none."""
    return str(dataset.get(keyword) or "").strip().upper()
