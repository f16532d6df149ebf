"""The manifests of a model: the default's, read as data, with other names, versions and places."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from components.shared.errors import InputError
from serving.manifests.rollout import CANARY, Rollout, models_config

# The share of the requests that KServe gives to a canary.
CANARY_PERCENT = 10
CONFIG = "config/"
MODELS_CONFIG = "config/models.config"
_CLAIM = "persistentvolumeclaim.yaml"
_DEFAULT_NAME = "pneumonia"
_KSERVE_BASE_PATH = "/mnt/models"
_CLUSTER = ("kubernetes/", "kserve/", _CLAIM)
# KServe's names for a model's parts are longer, and a host's name ends at 63.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PVC = re.compile(r"pvc://(?P<claim>[a-z0-9]([-.a-z0-9]*[a-z0-9])?)(/(?P<path>[^/]+(/[^/]+)*))?")
_BUCKET = re.compile(r"(s3|gs)://[^/]+(/[^/]+)*")

Document = dict[str, Any]


@dataclass(frozen=True)
class Serving:
    """What is served, and from where.

    Attributes:
        name: of the model.
        rollout: its versions.
        folder: of its versions on this machine, as compose.yaml is to say it.
        storage: URI of the folder of its versions for a cluster; None for a claim that is made.
        namespace: of the objects; None for the one that kubectl uses.
    """

    name: str
    rollout: Rollout
    folder: str
    storage: str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        """Refuses what Kubernetes and KServe would.

        Raises:
            InputError: the name, the namespace or the storage cannot be used.
        """
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"The model {self.name} cannot be served in a cluster: a Service's name is of "
                "lower-case letters, digits and hyphens, 40 at most, and begins with a letter; "
                "run again with --set pusher.model_name=NAME."
            )
        if self.namespace is not None and not _NAMESPACE.fullmatch(self.namespace):
            raise InputError(
                f"--namespace {self.namespace} is not of lower-case letters, digits and hyphens."
            )
        storage = self.storage_uri.rstrip("/")
        if ".." in storage or not (_PVC.fullmatch(storage) or _BUCKET.fullmatch(storage)):
            raise InputError(
                f"--storage {self.storage} is neither pvc://CLAIM[/PATH], s3://BUCKET[/PATH] nor "
                "gs://BUCKET[/PATH]."
            )

    @property
    def storage_uri(self) -> str:
        """Where the cluster finds the folder of versions."""
        if self.storage is None:
            return f"pvc://{self.name}-models/{self.name}"
        return self.storage

    @property
    def claim(self) -> re.Match[str] | None:
        """`claim` and `path` of a volume; None for a bucket."""
        return _PVC.fullmatch(self.storage_uri.rstrip("/"))


def render(base: Mapping[str, str], serving: Serving) -> dict[str, str]:
    """Returns the text of each file, by its path in the folder.

    A bucket cannot be mounted, so there only KServe, which downloads, is rendered for a cluster;
    and a claim that is named is there already.

    Args:
        base: text of each file of the default model, by the same paths.
        serving: what is served.
    """
    config = {path: text for path, text in base.items() if path.startswith(CONFIG)}
    comment = _renamed(_leading_comment(base[MODELS_CONFIG]), serving.name)
    base_path = f"/models/{serving.name}"
    config[MODELS_CONFIG] = comment + models_config(serving.name, base_path, serving.rollout)
    files = dict(config)
    for path in sorted(set(base) - set(config)):
        if _is_wanted(path, serving):
            document = yaml.safe_load(base[path])
            for keys in _NAMED[path]:
                _rename(document, keys, serving.name)
            if serving.namespace and path.startswith(_CLUSTER):
                document["metadata"]["namespace"] = serving.namespace
            if path in _FIELDS:
                _FIELDS[path](document, serving, config)
            files[path] = yaml.dump(document, Dumper=_Dumper, sort_keys=False)
    return files


def _is_wanted(path: str, serving: Serving) -> bool:
    if path == _CLAIM:
        return serving.storage is None
    return serving.claim is not None or not path.startswith("kubernetes/")


def _leading_comment(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[: next(i for i, line in enumerate(lines) if line[0] != "#")])


def _renamed(text: str, name: str) -> str:
    """Puts the model's name where the default's is."""
    return text.replace(_DEFAULT_NAME, name)


def _rename(document: Document, keys: Sequence[str | int], name: str) -> None:
    """Renames in the one field that the keys lead to."""
    *way, last = keys
    inner: Any = document
    for key in way:
        inner = inner[key]
    inner[last] = _renamed(inner[last], name)


def _set_compose(compose: Document, serving: Serving, config: Mapping[str, str]) -> None:
    mounts = compose["services"]["tf-serving"]["volumes"]
    (models,) = [mount for mount in mounts if mount["target"] == f"/models/{serving.name}"]
    models["source"] = serving.folder


def _set_config_map(config_map: Document, serving: Serving, config: Mapping[str, str]) -> None:
    config_map["data"] = {path.removeprefix(CONFIG): text for path, text in config.items()}


def _set_deployment(deployment: Document, serving: Serving, config: Mapping[str, str]) -> None:
    assert serving.claim is not None
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volume = _named("models", pod["volumes"])
    volume["persistentVolumeClaim"]["claimName"] = serving.claim["claim"]
    mount = _named("models", container["volumeMounts"])
    if serving.claim["path"]:
        mount["subPath"] = serving.claim["path"]
    else:
        del mount["subPath"]


def _set_kserve_config_map(
    config_map: Document, serving: Serving, config: Mapping[str, str]
) -> None:
    _set_config_map(config_map, serving, config)
    newest = serving.rollout.newest
    config_map["metadata"]["name"] = f"{serving.name}-{newest}"
    # Traffic is split between revisions, not by labels.
    config_map["data"][MODELS_CONFIG.removeprefix(CONFIG)] = models_config(
        serving.name, _KSERVE_BASE_PATH, Rollout({}, [newest])
    )


def _set_inference_service(service: Document, serving: Serving, config: Mapping[str, str]) -> None:
    predictor = service["spec"]["predictor"]
    if CANARY in serving.rollout.labels:
        predictor["canaryTrafficPercent"] = CANARY_PERCENT
    predictor["model"]["storageUri"] = serving.storage_uri
    volume = _named("config", predictor["volumes"])
    volume["configMap"]["name"] = f"{serving.name}-{serving.rollout.newest}"


def _set_network_policy(policy: Document, serving: Serving, config: Mapping[str, str]) -> None:
    clients = policy["spec"]["ingress"][0]["from"][0]["podSelector"]
    clients["matchLabels"] = {
        _renamed(label, serving.name): value for label, value in clients["matchLabels"].items()
    }


def _named(name: str, parts: Sequence[Document]) -> Document:
    return next(part for part in parts if part["name"] == name)


_INSTANCE = "app.kubernetes.io/instance"
_OBJECT = (("metadata", "name"), ("metadata", "labels", _INSTANCE))
_POD = ("spec", "template", "spec")
_CONTAINER = (*_POD, "containers", 0)
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# Which fields hold the model's name, by the keys that lead there; a word elsewhere stays.
_NAMED: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "compose.yaml": (
        ("name",),
        ("services", "tf-serving", "volumes", 0, "target"),
        ("services", "tf-serving", "healthcheck", "test", 3),
    ),
    "kubernetes/configmap.yaml": _OBJECT,
    "kubernetes/deployment.yaml": (
        *_OBJECT,
        ("spec", "selector", "matchLabels", _INSTANCE),
        ("spec", "template", "metadata", "labels", _INSTANCE),
        (*_POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", _INSTANCE),
        *((*_CONTAINER, probe, "httpGet", "path") for probe in _PROBES),
        (*_CONTAINER, "volumeMounts", 0, "mountPath"),
        (*_CONTAINER, "volumeMounts", 0, "subPath"),
        (*_POD, "volumes", 1, "configMap", "name"),
    ),
    "kubernetes/networkpolicy.yaml": (
        *_OBJECT,
        ("spec", "podSelector", "matchLabels", _INSTANCE),
    ),
    "kubernetes/poddisruptionbudget.yaml": (
        *_OBJECT,
        ("spec", "selector", "matchLabels", _INSTANCE),
    ),
    "kubernetes/service.yaml": (*_OBJECT, ("spec", "selector", _INSTANCE)),
    "kserve/configmap.yaml": _OBJECT,
    "kserve/inferenceservice.yaml": (*_OBJECT, ("spec", "predictor", "model", "runtime")),
    "kserve/servingruntime.yaml": (
        *_OBJECT,
        *(("spec", "containers", 0, probe, "httpGet", "path") for probe in _PROBES[1:]),
    ),
    _CLAIM: _OBJECT,
}
_FIELDS: dict[str, Callable[[Document, Serving, Mapping[str, str]], None]] = {
    "compose.yaml": _set_compose,
    "kubernetes/configmap.yaml": _set_config_map,
    "kubernetes/deployment.yaml": _set_deployment,
    "kubernetes/networkpolicy.yaml": _set_network_policy,
    "kserve/configmap.yaml": _set_kserve_config_map,
    "kserve/inferenceservice.yaml": _set_inference_service,
}


class _Dumper(yaml.SafeDumper):
    """YAML in which a text of several lines can be read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if text.endswith("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
