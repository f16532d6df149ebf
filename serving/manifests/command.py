"""`cxr kubeflow serving`: a run's model in, manifests out."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from components.shared.errors import InputError
from components.shared.files import replace_all
from components.shared.run_folder import RunFolder
from serving.manifests.render import MODELS_CONFIG, Serving, render
from serving.manifests.rollout import choose, refused_labels

_BASE = Path(__file__).with_name("templates")
# The first line of every file, by which it is known.
_MARK = "# Rendered by `cxr kubeflow serving`, which overwrites it when it is run again.\n"


def run(
    run_folder: Path,
    output: Path,
    *,
    canary: str | None,
    storage: str | None,
    namespace: str | None,
) -> None:
    """Writes the manifests and says what they serve.

    Args:
        run_folder: of a run that has pushed a model.
        output: folder of the manifests.
        canary: a version to be tried beside the stable one.
        storage: where a cluster has the model's versions; None: a claim, which is among them.
        namespace: of the objects.

    Raises:
        InputError: there is no pushed model, a setting cannot be used, or a file is in the way.
    """
    folder, output = RunFolder(run_folder.resolve()), output.resolve()
    name = _model_name(folder)
    versions = folder.versions(name)
    if not versions:
        raise InputError(
            f"The run in {folder.root} has pushed no model: {folder.serving_model(name)} holds no "
            "version."
        )
    serving = Serving(
        name,
        choose(versions, canary),
        os.path.relpath(folder.serving_model(name), output),
        storage,
        namespace,
    )
    base = _base()
    files = {path: _MARK + text for path, text in render(base, serving).items()}
    try:
        before = _rendered_before(output, base)
        _write(output, files, before)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from error
    labels = serving.rollout.labels
    print(output)
    print(", ".join(f"{label}: {version}" for label, version in labels.items()))
    for label in refused_labels(before.get(MODELS_CONFIG, ""), files[MODELS_CONFIG]):
        print(
            f"A server that runs with what was here before refuses this: it moves {label} only to "
            f"a version that it has loaded, and {labels[label]} is not. Restart the servers after "
            "applying it, or give a new version as --canary first."
        )


def _model_name(folder: RunFolder) -> str:
    if not folder.config.is_file():
        raise InputError(
            f"{folder.root} is no run folder: give one that `cxr run --output` has made."
        )
    config = yaml.safe_load(folder.config.read_text("utf-8"))
    return str(config["pusher"]["model_name"])


def _base() -> dict[str, str]:
    """Reads the manifests of the default model."""
    paths = sorted([*_BASE.rglob("*.config"), *_BASE.rglob("*.yaml")])
    return {path.relative_to(_BASE).as_posix(): path.read_text("utf-8") for path in paths}


def _rendered_before(output: Path, paths: Iterable[str]) -> dict[str, str]:
    """Reads those of the files that are there.

    Raises:
        InputError: one is somebody else's.
    """
    found = {}
    for path in paths:
        place = output / path
        if os.path.lexists(place):
            if not (place.is_file() and place.read_bytes().startswith(_MARK.encode())):
                raise InputError(
                    f"{place} is in the way: `cxr kubeflow serving` has not written it. Give "
                    "another --output, or remove it."
                )
            found[path] = place.read_text("utf-8", errors="replace")
    return found


def _write(output: Path, files: Mapping[str, str], before: Iterable[str]) -> None:
    """Writes all files, or none; of those before, what is no longer rendered goes.

    Files are replaced, not their folder: a container has it mounted, and would keep the old one.
    """
    for path in files:
        (output / path).parent.mkdir(parents=True, exist_ok=True)
    replace_all({output / path: text for path, text in files.items()})
    for path in set(before) - set(files):
        (output / path).unlink()
