"""What is accepted as a film, at ingestion and in use."""

from pydantic import Field

from components.shared.section import Section


class FilmLimits(Section):
    """Bounds of a file that is to be a film; each is checked before any pixel is decoded."""

    max_bytes: int = Field(64 * 2**20, ge=1, description="of a file")
    max_pixels: int = Field(50_000_000, ge=1, description="width x height of a film")
    min_side: int = Field(32, ge=1, description="pixels of a film's shorter side")
    max_aspect_ratio: float = Field(4.0, ge=1.0, description="longer side over shorter side")
