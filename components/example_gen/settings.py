"""The settings of ChestXrayExampleGen."""

from typing import Literal

from pydantic import Field, field_validator

from components.shared.limits import FilmLimits


class Settings(FilmLimits):
    """How the data set is checked, split and balanced."""

    eval_from: Literal["pool", "val"] = Field(
        "pool", description="pool: cut eval from train and val; val: the val folder is eval"
    )
    eval_fraction: float = Field(0.15, gt=0.0, lt=1.0, description="of the pool's films")
    undersampling: Literal["none"] | float = Field(
        1.0, description="majority films kept for each minority film of train, or none"
    )
    max_bad_fraction: float = Field(0.05, ge=0.0, le=1.0, description="of files put aside")

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
    """The settings, and what the whole run has one of."""

    seed: int
