"""The settings of YoudenEvaluator."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from components.shared.limits import FilmLimits
from components.shared.result import COUNTED
from components.shared.section import Section
from components.shared.statistics.metrics import METRICS

# The bound that is on no metric of the films as they are.
STRESSED = "stressed_balanced_accuracy"
# Of so many without a mistake it is sure, to 95 %, that one in ten is no more than a mistake.
_LEAST = 30


class _Bounds(Section):
    if TYPE_CHECKING:
        # The fields follow from METRICS, which mypy does not read.
        def __getattr__(self, name: str) -> float | None: ...


def _bound(default: float | None, description: str | None = None) -> Any:
    return (float | None, Field(default, ge=0.0, le=1.0, description=description))


def _least(description: str) -> Any:
    return (int | None, Field(_LEAST, ge=1, description=description))


Gate = create_model(
    "Gate",
    __base__=_Bounds,
    __module__=__name__,
    __doc__="Bounds on what a model that may be pushed does on test; null switches one off.",
    **{metric.name: _bound(metric.bound) for metric in METRICS.values() if metric.gated},
    **{STRESSED: _bound(None, "the lowest on changed films, see stress_films")},
    **{name: _least(f"least number of test {name} in each class") for name in COUNTED},
)


class Settings(Section):
    """How a model is measured and judged."""

    gate: Gate = Gate()
    champion_tolerance: float = Field(
        0.01,
        ge=0.0,
        le=1.0,
        description="AUC and balanced accuracy below the served model's; refused where the whole "
        "95 % interval of the difference is further below",
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
