"""Which versions are served, under which labels, and what a server that runs makes of a change."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.shared.errors import InputError

STABLE, CANARY = "stable", "canary"


class Rollout(NamedTuple):
    """Versions of a model.

    Attributes:
        labels: version of `stable` and, where there is one, of `canary`.
        loaded: all that a server is to load, oldest first.
    """

    labels: Mapping[str, int]
    loaded: Sequence[int]

    @property
    def newest(self) -> int:
        """The canary, or the stable version where there is none."""
        return self.labels.get(CANARY, self.labels[STABLE])


def choose(versions: Sequence[str], canary: str | None) -> Rollout:
    """Returns what to serve of the versions that were pushed.

    Stable is the newest, or the newest but the canary. The version before a stable one without
    canary is loaded too, since a server moves a label only to a version that it has loaded: so
    `stable` can go back.

    Args:
        versions: oldest first; at least one.
        canary: the version to try beside the stable one.

    Raises:
        InputError: there is no such canary, or nothing beside it.
    """
    if canary is None:
        return Rollout({STABLE: int(versions[-1])}, [int(version) for version in versions[-2:]])
    others = [version for version in versions if version != canary]
    if len(others) == len(versions):
        raise InputError(
            f"--canary {canary} is no version that was pushed: there is {', '.join(versions)}."
        )
    if not others:
        raise InputError(
            f"--canary {canary} is the only version that was pushed: none is left to be stable."
        )
    labels = {STABLE: int(others[-1]), CANARY: int(canary)}
    return Rollout(labels, sorted(labels.values()))


def models_config(name: str, base_path: str, rollout: Rollout) -> str:
    """Returns TensorFlow Serving's models.config.

    Args:
        name: of the model.
        base_path: the folder of versions as the server sees it.
        rollout: what to load, and the labels.
    """
    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(
        name=name, base_path=base_path, model_platform="tensorflow"
    )
    model.model_version_policy.specific.versions.extend(rollout.loaded)
    model.version_labels.update(rollout.labels)
    return str(text_format.MessageToString(config))


def refused_labels(before: str, after: str) -> list[str]:
    """Returns the labels that a server running with `before` would not move to `after`.

    It then takes nothing of the new file. A label that is in use moves only to a version that is
    loaded; one that is new may wait for its version.

    Args:
        before: the models.config that the server has.
        after: the one it is to take.
    """
    old, new = _only_model(before), _only_model(after)
    if old is None or new is None or old.name != new.name:
        return []
    loaded = old.model_version_policy.specific.versions
    return [
        label
        for label, version in sorted(new.version_labels.items())
        if old.version_labels.get(label, version) != version and version not in loaded
    ]


def _only_model(text: str) -> Any:
    """Returns the model of a models.config; None where a hand has made it something else."""
    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        (model,) = config.model_config_list.config
    except (text_format.ParseError, ValueError):
        return None
    return model
