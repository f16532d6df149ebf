"""What is accepted as a film, at ingestion and in use."""

from pathlib import Path

from pydantic import Field

from components.shared.section import Section

# In a model's folder: what its films were held to.
LIMITS_FILE = "assets.extra/limits.json"


class FilmLimits(Section):
    """Bounds of a file that is to be a film; each is checked before any pixel is decoded."""

    max_bytes: int = Field(64 * 2**20, ge=1, description="of a file")
    max_pixels: int = Field(50_000_000, ge=1, description="width x height of a film")
    min_side: int = Field(32, ge=1, description="pixels of a film's shorter side")
    max_aspect_ratio: float = Field(4.0, ge=1.0, description="longer side over shorter side")
    adults: bool = Field(
        False,
        description="take films of patients of 18 years and more, as far as a DICOM file tells",
    )

    def alone(self) -> "FilmLimits":
        """Returns the limits without what settings that hold them have beside."""
        return FilmLimits(**self.model_dump(include=set(FilmLimits.model_fields)))


def limits_of(model: Path) -> FilmLimits:
    """Returns what a model's films are held to; the defaults where it does not say.

    Args:
        model: folder of one version.

    Raises:
        ValueError: its file holds something else.
    """
    path = model / LIMITS_FILE
    return FilmLimits.model_validate_json(path.read_bytes()) if path.is_file() else FilmLimits()
