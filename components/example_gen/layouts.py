"""How the tables of known data sets are laid out, and how a table of one's own may be."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from components.example_gen.settings import TableSettings

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
# Of `Layout.separator`: the cell is a list as Python writes it.
PYTHON_LIST = "[]"
# Why a film is left out that a table names.
UNCERTAIN = "uncertain"
NO_LABEL = "no label"
OTHER_FINDINGS = "other findings"

_FRONTAL = ("PA", "AP", "FRONTAL")


@dataclass(frozen=True)
class Layout:
    """Which column is which, and what its values mean; names are compared without their case.

    Attributes:
        path: column of the films' paths.
        label: columns, of which the first that is there has the label. Where none is named, each
            finding has a column of its own: 1 it is there, -1 it is uncertain.
        pneumonia: values of the label, or columns of findings, that mean pneumonia: one is enough.
        normal: likewise normal; beside another value of the label it does not count.
        uncertain: values of the label that leave a film out as uncertain.
        other_findings: values of the label that leave it out for other findings.
        unknown: `put_aside` or `leave_out`, what becomes of a film with any other label.
        separator: between several values in a cell, `PYTHON_LIST`, or None for one value.
        places: where a film lies, relative to the table's folder, of which the first is taken that
            is there: {path} and {folder} are the row's, {inner} the path without its first folder.
        folder: column of {folder}.
        patient: column of the patients.
        patient_in_path: pattern of the patient in the path, where no column has it.
        split: column of the splits.
        subtype: column of the kinds of pneumonia.
        view: column of the views.
        frontal: values of it that are frontal; a blank one may be.
        age: column of ages, in years or as DICOM writes them.
        adult: values of it that mean an adult.
        required: fields whose columns must be there.
    """

    path: str
    label: tuple[str, ...] = ()
    pneumonia: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    other_findings: tuple[str, ...] = ()
    unknown: str = "put_aside"
    separator: str | None = None
    places: tuple[str, ...] = ("{path}",)
    folder: str | None = None
    patient: str | None = None
    patient_in_path: str | None = None
    split: str | None = None
    subtype: str | None = None
    view: str | None = None
    frontal: tuple[str, ...] = _FRONTAL
    age: str | None = None
    adult: tuple[str, ...] = ()
    required: frozenset[str] = frozenset({"path"})


LAYOUTS = {
    "plain": Layout(
        path="path",
        label=("label",),
        pneumonia=("PNEUMONIA", "1"),
        normal=("NORMAL", "0"),
        patient="patient",
        split="split",
        subtype="subtype",
        view="view",
        age="age",
    ),
    # The labels alone call all that is no pneumonia 0; the classes tell what else there is.
    "rsna": Layout(
        path="patientId",
        label=("class", "Target"),
        pneumonia=("Lung Opacity", "1"),
        normal=("Normal", "0"),
        other_findings=("No Lung Opacity / Not Normal",),
        places=("stage_2_train_images/{path}.dcm",),
        patient="patientId",
    ),
    "nih": Layout(
        path="Image Index",
        label=("Finding Labels",),
        pneumonia=("Pneumonia",),
        normal=("No Finding",),
        unknown="leave_out",
        separator="|",
        places=(
            "images/{path}",
            *(f"images_{number:03d}/images/{{path}}" for number in range(1, 13)),
        ),
        patient="Patient ID",
        view="View Position",
        age="Patient Age",
    ),
    # Its paths begin with the name of the table's own folder.
    "chexpert": Layout(
        path="Path",
        pneumonia=("Pneumonia",),
        normal=("No Finding",),
        unknown="leave_out",
        places=("{path}", "{inner}"),
        patient_in_path=r"patient\d+",
        view="Frontal/Lateral",
        frontal=("Frontal",),
        age="Age",
    ),
    "padchest": Layout(
        path="ImageID",
        label=("Labels",),
        pneumonia=("pneumonia", "atypical pneumonia"),
        normal=("normal",),
        unknown="leave_out",
        separator=PYTHON_LIST,
        places=("{folder}/{path}", "{path}"),
        folder="ImageDir",
        patient="PatientID",
        view="Projection",
        frontal=("PA", "AP", "AP_horizontal"),
        age="Pediatric",
        adult=("No",),
    ),
    "vindr": Layout(
        path="image_id",
        # The first is written so in the published table.
        pneumonia=("Brocho-pneumonia", "Broncho-pneumonia", "Pneumonia", "Pleuro-pneumonia"),
        normal=("No finding",),
        unknown="leave_out",
        places=("train/{path}.dicom", "test/{path}.dicom"),
    ),
}


def layout_of(settings: TableSettings) -> Layout:
    """Returns the layout that the settings name, with what they say otherwise."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.model_dump(exclude={"layout"}).items()
        if value is not None
    }
    if "label" in given:
        given["label"] = (given["label"],)
    base = LAYOUTS[settings.layout]
    return dataclasses.replace(base, **given, required=base.required | given.keys())


def is_table_name(name: str) -> bool:
    """Whether a file is a table by its name."""
    return name.lower().endswith(TABLE_SUFFIXES)
