"""The settings of ChestXrayExampleGen."""

from typing import Literal

from pydantic import Field, field_validator

from components.shared.limits import FilmLimits
from components.shared.section import Section


class TableSettings(Section):
    """How a table of films is read: as a layout says, but for what is set here beside it."""

    layout: Literal["plain", "rsna", "nih", "chexpert", "padchest", "vindr"] = Field(
        "plain", description="plain: columns path, label and so on; or a public data set's"
    )
    path: str | None = Field(None, min_length=1, description="column of the films' paths")
    label: str | None = Field(None, min_length=1, description="column of the labels")
    pneumonia: list[str] | None = Field(
        None, min_length=1, description="values of the label that mean pneumonia"
    )
    normal: list[str] | None = Field(None, min_length=1, description="that mean normal")
    uncertain: list[str] | None = Field(None, description="that leave a film out as uncertain")
    other_findings: list[str] | None = Field(None, description="that leave it out as neither")
    unknown: Literal["put_aside", "leave_out"] | None = Field(
        None, description="what becomes of a film with any other label"
    )
    separator: str | None = Field(
        None, min_length=1, description="of several labels in a cell; []: a list as Python's"
    )
    places: list[str] | None = Field(
        None,
        min_length=1,
        description="where a film may lie, such as images/{path}.png, relative to the table",
    )
    folder: str | None = Field(None, min_length=1, description="column of {folder} in places")
    patient: str | None = Field(None, min_length=1, description="column of the patients")
    split: str | None = Field(None, min_length=1, description="column of the splits")
    subtype: str | None = Field(None, min_length=1, description="column of the subtypes")
    view: str | None = Field(None, min_length=1, description="column of the views")
    frontal: list[str] | None = Field(None, min_length=1, description="views that are frontal")
    age: str | None = Field(None, min_length=1, description="column of ages, as 4, 004Y or 018M")

    @field_validator("pneumonia", "normal", "uncertain", "other_findings", mode="before")
    @classmethod
    def _numbers_are_labels_too(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [str(label) if type(label) in (int, float) else label for label in value]

    @field_validator("places")
    @classmethod
    def _places_have_the_path(cls, value: list[str] | None) -> list[str] | None:
        if value and not all("{path}" in place or "{inner}" in place for place in value):
            raise ValueError("Input should be places with {path} in each")
        return value


class Settings(FilmLimits):
    """How the data set is checked, split and balanced."""

    eval_from: Literal["pool", "val"] = Field(
        "pool", description="pool: cut eval from train and val; val: the val folder is eval"
    )
    eval_fraction: float = Field(0.15, gt=0.0, lt=1.0, description="of the pool's films")
    test_fraction: float = Field(
        0.15, gt=0.0, lt=1.0, description="of the films of a table without a column of splits"
    )
    undersampling: Literal["none"] | float = Field(
        1.0, description="majority films kept for each minority film of train, or none"
    )
    max_bad_fraction: float = Field(0.05, ge=0.0, le=1.0, description="of files put aside")
    table: TableSettings = TableSettings()
    patient_key: str | None = Field(
        None,
        min_length=1,
        description="file of the key by which the patients of a table, or of DICOM films, are "
        "hashed; null: the variable CXR_PATIENT_KEY, or else a key that the run folder keeps",
    )

    @field_validator("undersampling", mode="before")
    @classmethod
    def _none_or_ratio(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "none" and not (number and value >= 1):  # type: ignore[operator]
            raise ValueError("Input should be 'none' or a ratio of at least 1")
        return value

    @property
    def undersampling_ratio(self) -> float | None:
        """Majority films kept for each minority film; None for all of them."""
        return None if self.undersampling == "none" else self.undersampling


class RunSettings(Settings):
    """The settings, and what the whole run has one of.

    Attributes:
        seed: of the run.
        key_file: where the run keeps a patient key of its own, which is made when it is needed;
            None: nowhere, so that one has to be given.
    """

    seed: int
    key_file: str | None = None
