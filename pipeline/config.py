"""The configuration: one typed, validated object, from a preset or a file, and `--set`."""

import difflib
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import Field, ValidationError

from components.evaluator.settings import Settings as EvaluatorSettings
from components.example_gen.settings import Settings as ExampleGenSettings
from components.example_validator.settings import Settings as ExampleValidatorSettings
from components.pusher.settings import Settings as PusherSettings
from components.shared.errors import InputError
from components.shared.section import Section
from components.shared.text import shortened
from components.trainer.settings import NAMED_WEIGHTS
from components.trainer.settings import Settings as TrainerSettings
from components.transform.settings import Settings as TransformSettings
from pipeline.settings.beam import BeamConfig
from pipeline.settings.kubeflow import KubeflowConfig

# Of what is echoed of a wrong value.
_SHOWN = 100
_DEEPEST = 20

PRESETS = ("demo", "quick", "default", "seed")


class Config(Section):
    """The whole configuration of a run, but for the paths."""

    seed: int = Field(1, ge=0, lt=2**31)
    example_gen: ExampleGenSettings = ExampleGenSettings()
    example_validator: ExampleValidatorSettings = ExampleValidatorSettings()
    transform: TransformSettings = TransformSettings()
    trainer: TrainerSettings = TrainerSettings()
    evaluator: EvaluatorSettings = EvaluatorSettings()
    pusher: PusherSettings = PusherSettings()
    beam: BeamConfig = BeamConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()

    def on_this_machine(self) -> "Config":
        """Returns the configuration whose paths hold in every folder of this machine."""
        found = self
        backbone, key = self.trainer.backbone, self.example_gen.patient_key
        if backbone not in NAMED_WEIGHTS:
            trainer = self.trainer.changed(backbone=_absolute(backbone))
            found = found.changed(trainer=trainer)
        if key is not None:
            example_gen = self.example_gen.changed(patient_key=_absolute(key))
            found = found.changed(example_gen=example_gen)
        return found

    def to_yaml(self) -> str:
        """Returns the configuration as YAML, every value given."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)


def _absolute(path: str) -> str:
    """Returns a path that holds in every folder of this machine; an address stays."""
    return path if "://" in path else str(Path(path).expanduser().absolute())


class _Loader(yaml.SafeLoader):
    """YAML that reads 1e-3 as a number, as YAML 1.2 does and PyYAML does not.

    A key that is given twice is refused, since one of the two would be dropped without a word; so
    are aliases, by which a few lines hold gigabytes, and what is nested deeper than any setting.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias: write its value out", event.start_mark)
        if self._depth > _DEEPEST:
            raise _refused("more than settings have levels", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("a key that is no name", key.start_mark)
            if key.value in seen:
                raise _refused(f"the key {key.value} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refused(what: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(f"it has {what}", where)


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
    # A number of thousands of digits is a ValueError.
    except (yaml.YAMLError, ValueError) as error:
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
    key, given = ".".join(path), shortened(repr(first["input"]), _SHOWN)
    if first["type"] == "extra_forbidden":
        allowed = _keys_of(path[:-1])
        near = difflib.get_close_matches(path[-1], allowed, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"The setting {key} is unknown ({hint}allowed here: {', '.join(allowed)})."
    if first["type"] == "model_type":
        return f"The setting {key} is {given}: it is a section with keys of its own."
    message = first["msg"].removeprefix("Value error, ")
    return f"The setting {key} is {given}: {message[0].lower()}{message[1:]}."


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
