"""The settings of ChestXrayExampleGen."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Literal

from components.example_gen.images import Limits


@dataclass(frozen=True)
class Settings:
    """What `pipeline.config` says of ingestion; see there for the meaning and the bounds."""

    seed: int
    eval_from: Literal["pool", "val"]
    eval_fraction: float
    undersampling_ratio: float | None
    max_bad_fraction: float
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> str:
        """Returns the form in which the settings travel to the executor."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Reads what `to_json` returned."""
        fields = json.loads(text)
        return cls(limits=Limits(**fields.pop("limits")), **fields)
