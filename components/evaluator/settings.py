"""The settings of YoudenEvaluator."""

from pydantic import Field

from components.shared.limits import FilmLimits
from components.shared.section import Section


class Gate(Section):
    """Lowest test metrics of a model that may be pushed; null switches a bound off."""

    auc: float | None = Field(0.90, ge=0.0, le=1.0)
    recall: float | None = Field(0.90, ge=0.0, le=1.0)
    specificity: float | None = Field(0.50, ge=0.0, le=1.0)
    stressed_balanced_accuracy: float | None = Field(
        None, ge=0.0, le=1.0, description="the lowest on changed films, see stress_films"
    )


class Settings(Section):
    """How a model is measured and judged."""

    gate: Gate = Gate()
    champion_tolerance: float = Field(
        0.01, ge=0.0, le=1.0, description="AUC and balanced accuracy below the served model's"
    )
    bootstrap_resamples: int = Field(2000, ge=100, le=100_000)
    stress_films: int | None = Field(
        10,
        ge=1,
        description="films of each class of eval and of test that are read as other machines would "
        "have made them; null: all",
    )


class RunSettings(Settings):
    """The settings, and what the whole run has one of."""

    seed: int
    limits: FilmLimits
