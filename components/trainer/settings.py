"""The settings of the Trainer."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from components.shared.section import Section

# Of `backbone`; any other value is a file. What they are stands in `backbones.py`.
NAMED_WEIGHTS = (
    "imagenet",
    "none",
    "ResNet50",
    "ResNet50V2",
    "DenseNet121",
    "EfficientNetV2B0",
    "ConvNeXtTiny",
)


class Augmentation(Section):
    """Bounds of the random changes of a training film.

    Each is drawn evenly from minus to plus its bound, `noise` from 0.
    """

    rotation: float = Field(10.0, ge=0.0, le=180.0, description="degrees")
    shift: float = Field(0.05, ge=0.0, le=0.5, description="of the side")
    zoom: float = Field(0.1, ge=0.0, lt=1.0, description="of the scale")
    brightness: float = Field(0.1, ge=0.0, le=1.0, description="of the grey range")
    contrast: float = Field(0.1, ge=0.0, le=1.0, description="of the distance to the mean")
    flip: bool = Field(False, description="mirror half of the films; the heart has a side")
    min_area: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="cut out a random part of this share of the picture at least; null: the "
        "middle that evaluation sees",
    )
    aspect_ratio: float = Field(
        1.0,
        ge=1.0,
        le=4.0,
        description="of what is cut out: up to so many times as wide as high, or as high as wide; "
        "it is stretched to a square",
    )
    even_shapes: bool = Field(
        False,
        description="stretch what is cut out the more, the less its class was squashed, so that no "
        "class is the narrower one; of min_area alone",
    )
    shear: float = Field(0.0, ge=0.0, le=45.0, description="degrees")
    gamma: float = Field(
        0.0, ge=0.0, le=4.0, description="grey levels to the power of 1 + gamma, or its inverse"
    )
    sharpness: float = Field(
        0.0, ge=0.0, le=4.0, description="of the difference to the blurred film, added or taken"
    )
    noise: float = Field(0.0, ge=0.0, le=1.0, description="deviation, of the grey range")

    @field_validator("even_shapes")
    @classmethod
    def _even_shapes_is_of_cut_outs(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("min_area") is None:
            raise ValueError("Input should be false where trainer.augmentation.min_area is null")
        return value


class Settings(Section):
    """The net and how it is trained."""

    backbone: str = Field(
        "imagenet",
        description="the ImageNet weights of ResNet50 (imagenet), ResNet50V2, DenseNet121, "
        "EfficientNetV2B0 or ConvNeXtTiny; none: a ResNet50 of random ones; or a Keras model file "
        "of one of these nets, in a cluster pvc://CLAIM/PATH, where a new file needs a new name, "
        "or an absolute path in the image",
    )
    fine_tune: str | None = Field(
        None,
        min_length=1,
        description="how the name of the first trained layer of the backbone begins, such as "
        "conv5; null: all of it is frozen",
    )
    crop: float = Field(
        1.0, gt=0.0, le=1.0, description="middle of the picture's side that the net sees"
    )
    target: Literal["label", "subtype"] = Field(
        "label", description="label: normal or pneumonia; subtype: which pneumonia, where known"
    )
    epochs: int = Field(10, ge=1, le=1000)
    batch_size: int = Field(32, ge=2, le=4096, multiple_of=2, description="half of them normal")
    learning_rate: float = Field(0.001, gt=0.0, le=1.0, description="of Adam")
    schedule: Literal["constant", "cosine"] = Field("constant", description="of the learning rate")
    warmup: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="share of the steps in which the learning rate rises from 0; of cosine alone",
    )
    keep: Literal["best", "last"] = Field(
        "best", description="the weights of the epoch of the highest eval AUC, or of the last one"
    )
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="decoupled, as in AdamW")
    normalize_features: bool = Field(
        False, description="standardise the pooled features before the head; for random weights"
    )
    dense_units: int | None = Field(128, ge=1, le=65536, description="null: no hidden layer")
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    patience: int = Field(10, ge=1, description="epochs without a better eval AUC before the end")
    views: int | None = Field(
        4,
        ge=1,
        le=1000,
        validate_default=True,
        description="augmented views of each film that a frozen net sees, once each; null: a new "
        "view every epoch",
    )
    train_size: int | None = Field(
        None,
        ge=32,
        le=1024,
        validate_default=True,
        description="side in pixels to which random views are shrunk for training; null: as large "
        "as what the net sees in use",
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="of convolutions in training; bfloat16 where the CPU has it; auto: whichever "
        "this machine computes faster",
    )
    distribution: Literal["none", "mirrored", "multi_worker"] = Field(
        "none",
        description="mirrored: all GPUs of the machine; multi_worker: the processes of TF_CONFIG",
    )
    augmentation: Augmentation = Augmentation()

    @field_validator("views")
    @classmethod
    def _views_are_of_a_frozen_net(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("fine_tune") is not None:
            raise ValueError(
                "Input should be null where trainer.fine_tune is set, since a net in training "
                "gives new features every epoch"
            )
        return value

    @field_validator("warmup")
    @classmethod
    def _warmup_is_of_cosine(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("schedule") != "cosine":
            raise ValueError("Input should be 0 where trainer.schedule is not cosine")
        return value

    @field_validator("train_size")
    @classmethod
    def _views_kept_are_of_full_size(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("views") is not None:
            raise ValueError("Input should be null where trainer.views is set")
        return value


class RunSettings(Settings):
    """The settings, and what the Trainer has from the rest of the run.

    Attributes:
        input_size: side, in pixels, of the pictures that Transform writes.
        seed: of the run.
        work_dir: folder of what is kept of a training that is cut off.
    """

    input_size: int
    seed: int
    work_dir: str

    @property
    def net_size(self) -> int:
        """Side, in pixels, of the middle of the picture that the net sees."""
        return round(self.crop * self.input_size)

    @property
    def view_size(self) -> int:
        """Side, in pixels, of the random views of a net that is trained."""
        return self.train_size or self.net_size
