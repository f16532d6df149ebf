"""The settings of the Beam steps."""

from typing import Literal

from pydantic import Field

from components.shared.section import Section


class BeamConfig(Section):
    """How the Beam steps run."""

    runner: Literal["local", "portable", "flink", "spark", "dataflow"] = Field(
        "local", description="local: this machine; portable: a job service"
    )
    workers: int = Field(
        1, ge=1, le=256, description="processes, or machines of Dataflow; 1, locally: this process"
    )
    endpoint: str | None = Field(
        None,
        min_length=1,
        description="HOST:PORT of the job service or of Flink's master, or the URL of Spark's",
    )
    artifact_endpoint: str | None = Field(
        None,
        min_length=1,
        description="HOST:PORT to which runner portable sends files for the workers; null: where "
        "the job service says, which it may not know",
    )
    environment: Literal["loopback", "external", "docker"] = Field(
        "loopback",
        description="where the workers of portable, flink and spark are: beside the node; in a "
        "pool that listens; in containers",
    )
    pool: str | None = Field(
        None, min_length=1, description="HOST:PORT of the pool of workers of environment external"
    )
    image: str | None = Field(
        None,
        min_length=1,
        description="the image with the project installed of environment docker and of Dataflow",
    )
    project: str | None = Field(None, min_length=1, description="the project of Google Cloud")
    region: str | None = Field(None, min_length=1, description="the region of Google Cloud")
    temp_location: str | None = Field(
        None, pattern=r"^gs://\S+$", description="a gs:// folder for Dataflow's own files"
    )
