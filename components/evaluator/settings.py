"""The settings of YoudenEvaluator."""

import dataclasses
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What `pipeline.config` says of evaluation; see there for the meaning and the bounds."""

    gate: dict[str, float | None]
    champion_tolerance: float
    bootstrap_resamples: int
    stress_films: int | None
    seed: int

    def to_json(self) -> str:
        """Returns the form in which the settings travel to the executor."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Reads what `to_json` returned."""
        return cls(**json.loads(text))
