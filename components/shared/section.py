"""What every section of the configuration has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from typing_extensions import Self


class Section(BaseModel):
    """Takes no unknown key, no wrong type and no number that is none; never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def changed(self, **changes: Any) -> Self:
        """Returns a validated copy with other values."""
        return type(self).model_validate({**self.model_dump(), **changes})
