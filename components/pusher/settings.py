"""The settings of Pusher."""

from pydantic import Field

from components.shared.section import Section


class Settings(Section):
    """Where a model goes."""

    model_name: str = Field("pneumonia", pattern=r"^[a-z0-9][a-z0-9_-]*$")
