"""The settings of Transform."""

from typing import Literal

from pydantic import Field

from components.shared.section import Section


class Settings(Section):
    """The picture that the net sees."""

    input_size: int = Field(224, ge=32, le=1024, description="side in pixels")
    square: Literal["pad", "crop", "squash"] = Field(
        "pad",
        description="pad: the whole film on black; crop: its middle; squash: the whole film, its "
        "shape lost",
    )
