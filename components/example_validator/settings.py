"""The settings of ExampleValidator."""

from pydantic import Field

from components.shared.section import Section


class Settings(Section):
    """What happens to a data set that breaks the schema."""

    stop_on_anomalies: bool = Field(True, description="end the run on severe anomalies")
