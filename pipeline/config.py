"""The configuration: one typed, validated object, from a preset or a file, and `--set`."""

import difflib
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from components.errors import InputError
from pipeline.kfp.settings import KubeflowConfig
from pipeline.section import Section

PRESETS = ("demo", "quick", "default", "seed")
# Of `trainer.backbone`; any other value is a file.
NAMED_WEIGHTS = ("imagenet", "none")


class ExampleGenConfig(Section):
    """How the data set is checked, split and balanced."""

    eval_from: Literal["pool", "val"] = Field(
        "pool", description="pool: cut eval from train and val; val: the val folder is eval"
    )
    eval_fraction: float = Field(0.15, gt=0.0, lt=1.0, description="of the pool's films")
    undersampling: Literal["none"] | float = Field(
        1.0, description="majority films kept for each minority film of train, or none"
    )
    max_bad_fraction: float = Field(0.05, ge=0.0, le=1.0, description="of files put aside")
    max_bytes: int = Field(64 * 2**20, ge=1, description="of a file")
    max_pixels: int = Field(50_000_000, ge=1, description="width x height of a film")
    min_side: int = Field(32, ge=1, description="pixels of a film's shorter side")
    max_aspect_ratio: float = Field(4.0, ge=1.0, description="longer side over shorter side")

    @field_validator("undersampling", mode="before")
    @classmethod
    def _none_or_ratio(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "none" and not (number and value >= 1):  # type: ignore[operator]
            raise ValueError("Input should be 'none' or a ratio of at least 1")
        return value


class ExampleValidatorConfig(Section):
    """What happens to a data set that breaks the schema."""

    stop_on_anomalies: bool = Field(True, description="end the run on severe anomalies")


class TransformConfig(Section):
    """The picture that the net sees."""

    input_size: int = Field(224, ge=32, le=1024, description="side in pixels")
    square: Literal["pad", "crop"] = Field(
        "pad", description="pad: the whole film on black; crop: its middle"
    )


class AugmentationConfig(Section):
    """Bounds of the random changes of a training film."""

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
    shear: float = Field(0.0, ge=0.0, lt=45.0, description="degrees")
    gamma: float = Field(
        0.0, ge=0.0, le=4.0, description="grey levels to the power of 1 + gamma, or its inverse"
    )
    sharpness: float = Field(
        0.0, ge=0.0, le=4.0, description="of the difference to the blurred film, added or taken"
    )
    noise: float = Field(0.0, ge=0.0, le=1.0, description="deviation, of the grey range")


class TrainerConfig(Section):
    """The net and how it is trained."""

    backbone: str = Field(
        "imagenet",
        description="imagenet, none, or a Keras model file; in a cluster pvc://CLAIM/PATH, where a "
        "new file needs a new name, or an absolute path in the image",
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
    augmentation: AugmentationConfig = AugmentationConfig()

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


class GateConfig(Section):
    """Lowest test metrics of a model that may be pushed; null switches a bound off."""

    auc: float | None = Field(0.90, ge=0.0, le=1.0)
    recall: float | None = Field(0.90, ge=0.0, le=1.0)
    specificity: float | None = Field(0.50, ge=0.0, le=1.0)
    stressed_balanced_accuracy: float | None = Field(
        None, ge=0.0, le=1.0, description="the lowest on changed films, see stress_films"
    )


class EvaluatorConfig(Section):
    """How a model is measured and judged."""

    gate: GateConfig = GateConfig()
    champion_tolerance: float = Field(
        0.01, ge=0.0, le=1.0, description="AUC and balanced accuracy below the served model's"
    )
    bootstrap_resamples: int = Field(2000, ge=100, le=100_000)
    stress_films: int | None = Field(
        10,
        ge=1,
        description="films of each class of eval and of test that are read as other machines would "
        "have made them; null: all",
    )


class PusherConfig(Section):
    """Where a model goes."""

    model_name: str = Field("pneumonia", pattern=r"^[a-z0-9][a-z0-9_-]*$")


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


class Config(Section):
    """The whole configuration of a run, but for the paths."""

    seed: int = Field(1, ge=0, lt=2**31)
    example_gen: ExampleGenConfig = ExampleGenConfig()
    example_validator: ExampleValidatorConfig = ExampleValidatorConfig()
    transform: TransformConfig = TransformConfig()
    trainer: TrainerConfig = TrainerConfig()
    evaluator: EvaluatorConfig = EvaluatorConfig()
    pusher: PusherConfig = PusherConfig()
    beam: BeamConfig = BeamConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()

    def on_this_machine(self) -> "Config":
        """Returns the configuration whose paths hold in every folder of this machine."""
        backbone = self.trainer.backbone
        if backbone in NAMED_WEIGHTS or "://" in backbone:
            return self
        path = str(Path(backbone).expanduser().absolute())
        trainer = self.trainer.model_copy(update={"backbone": path})
        return self.model_copy(update={"trainer": trainer})

    def to_yaml(self) -> str:
        """Returns the configuration as YAML, every value given."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)


class _Loader(yaml.SafeLoader):
    """YAML that reads 1e-3 as a number, as YAML 1.2 does and PyYAML does not."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def load_config(source: str, overrides: Sequence[str] = ()) -> Config:
    """Reads a configuration.

    Args:
        source: name of a preset, or path of a YAML file; what it leaves out has the default.
        overrides: `section.key=value` each, the value in YAML.

    Returns:
        The validated configuration.

    Raises:
        InputError: no such file, no YAML, an unknown key, a wrong type or an impossible value.
    """
    content = _read(source)
    for override in overrides:
        _apply(content, override)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(error)) from error


def _read(source: str) -> dict[str, Any]:
    if source in PRESETS:
        text = resources.files("pipeline").joinpath(f"presets/{source}.yaml").read_text("utf-8")
    elif Path(source).is_file():
        try:
            text = Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The configuration file {source} cannot be read: {error}.") from error
    else:
        raise InputError(
            f"--config {source} is neither a preset ({', '.join(PRESETS)}) nor a file."
        )
    content = _parse(text, f"The configuration file {source}")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(
            f"The configuration file {source} holds a {type(content).__name__}, not "
            "sections with keys."
        )
    return content


def _parse(text: str, what: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{what} is not valid YAML: {' '.join(str(error).split())}.") from error


def _apply(content: dict[str, Any], override: str) -> None:
    path, separator, value = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise InputError(f"--set {override} is not of the form section.key=value.")
    for key in keys[:-1]:
        inner = content.setdefault(key, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {override}: {key} is a value, not a section.")
        content = inner
    content[keys[-1]] = _parse(value, f"--set {override}: the value")


def _explain(error: ValidationError) -> str:
    """Returns one sentence for the first error: key, value, what is allowed."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if not _is_union_branch(part)]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        allowed = _keys_of(path[:-1])
        near = difflib.get_close_matches(path[-1], allowed, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"The setting {key} is unknown ({hint}allowed here: {', '.join(allowed)})."
    if first["type"] == "model_type":
        return f"The setting {key} is {first['input']!r}: it is a section with keys of its own."
    message = first["msg"].removeprefix("Value error, ")
    return f"The setting {key} is {first['input']!r}: {message[0].lower()}{message[1:]}."


def _is_union_branch(part: object) -> bool:
    # Pydantic names the branch of a union it tried: "float", "literal['none']".
    return isinstance(part, str) and (
        part in ("float", "int", "str") or part.startswith("literal[")
    )


def _keys_of(path: Sequence[str]) -> list[str]:
    section: Any = Config
    for part in path:
        # A number is a place in a list of sections.
        if not part.isdigit():
            annotation = section.model_fields[part].annotation
            section = next(iter(get_args(annotation)), annotation)
    return list(section.model_fields)
