"""The settings of the Trainer."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Augmentation:
    """Bounds of the random changes; each is drawn evenly from minus to plus its bound.

    Attributes:
        rotation: degrees.
        shift: of the side, in both directions.
        zoom: of the scale.
        brightness: of the grey range, added.
        contrast: of the distance to the mean grey level.
        flip: whether half of the films are mirrored; the heart then changes its side.
        min_area: a random part of this share of the picture at least is cut out; None for the
            middle that evaluation sees.
        aspect_ratio: of what is cut out, up to so many times as wide as high or as high as wide,
            as far as the picture reaches; it is stretched to a square.
        shear: degrees.
        gamma: grey levels are raised to a power of up to 1 + gamma, or of its inverse.
        sharpness: of the difference to the blurred film, added or taken away.
        noise: standard deviation, of the grey range; drawn evenly from 0.
    """

    rotation: float
    shift: float
    zoom: float
    brightness: float
    contrast: float
    flip: bool
    min_area: float | None = None
    aspect_ratio: float = 1.0
    shear: float = 0.0
    gamma: float = 0.0
    sharpness: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What `pipeline.config` says of training; see there for the meaning and the bounds."""

    backbone: str
    input_size: int
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    dense_units: int | None
    dropout: float
    patience: int
    views: int | None
    augmentation: Augmentation
    work_dir: str
    normalize_features: bool = False
    crop: float = 1.0
    train_size: int | None = None
    target: str = "label"
    fine_tune: str | None = None
    schedule: str = "constant"
    warmup: float = 0.0
    keep: str = "best"
    weight_decay: float = 0.0
    precision: str = "float32"
    distribution: str = "none"

    @property
    def net_size(self) -> int:
        """Side, in pixels, of the middle of the picture that the net sees."""
        return round(self.crop * self.input_size)

    @property
    def view_size(self) -> int:
        """Side, in pixels, of the random views of a net that is trained."""
        return self.train_size or self.net_size

    def to_custom_config(self) -> dict[str, Any]:
        """Returns the form in which the settings travel to `run_fn`."""
        return asdict(self)

    @classmethod
    def from_custom_config(cls, fields: dict[str, Any]) -> "Settings":
        """Reads what `to_custom_config` returned."""
        fields = dict(fields)
        return cls(augmentation=Augmentation(**fields.pop("augmentation")), **fields)
