"""`cxr kubeflow serving`: a run's model in, manifests out."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from components.errors import InputError
from pipeline.config import load_config
from pipeline.manifests.render import MODELS_CONFIG, Serving, render
from pipeline.manifests.rollout import choose, refused_labels
from pipeline.run_folder import RunFolder, replace_all

_BASE = Path(__file__).parents[2] / "kubeflow" / "serving"
# The first line of every file, by which it is known.
_MARK = "# Rendered by `cxr kubeflow serving`, which overwrites it when it is run again.\n"


def run(options: argparse.Namespace) -> None:
    """Writes the manifests and says what they serve.

    Raises:
        InputError: there is no pushed model, a setting cannot be used, or a file is in the way.
    """
    folder, output = RunFolder(options.run.resolve()), options.output.resolve()
    name = _model_name(folder)
    versions = folder.versions(name)
    if not versions:
        raise InputError(
            f"The run in {folder.root} has pushed no model: {folder.serving_model(name)} holds no "
            "version."
        )
    serving = Serving(
        name,
        choose(versions, options.canary),
        os.path.relpath(folder.serving_model(name), output),
        options.storage,
        options.namespace,
    )
    files = {path: _MARK + text for path, text in render(_base(), serving).items()}
    before = output / MODELS_CONFIG
    had = before.read_text("utf-8") if before.is_file() else ""
    _write(output, files)
    print(output)
    print(", ".join(f"{label}: {version}" for label, version in serving.rollout.labels.items()))
    for label in refused_labels(had, files[MODELS_CONFIG]):
        version = serving.rollout.labels[label]
        print(
            f"A server that runs with what was here before refuses this: it moves {label} only to "
            f"a version that it has loaded, and {version} is not. Restart the servers after "
            "applying it, or give a new version as --canary first."
        )


def _model_name(folder: RunFolder) -> str:
    if not folder.config.is_file():
        raise InputError(
            f"{folder.root} is no run folder: give one that `cxr run --output` has made."
        )
    return load_config(str(folder.config)).pusher.model_name


def _base() -> dict[str, str]:
    """Reads the manifests of the default model.

    Raises:
        InputError: only the packages are installed.
    """
    if not _BASE.is_dir():
        raise InputError(f"{_BASE} is absent: the manifests are part of the project's checkout.")
    paths = sorted(path for path in _BASE.rglob("*") if path.is_file())
    return {path.relative_to(_BASE).as_posix(): path.read_text("utf-8") for path in paths}


def _write(output: Path, files: Mapping[str, str]) -> None:
    """Writes all files, or none; what an earlier rendering left over goes.

    Files are replaced, not their folder: a container has it mounted, and would keep the old one.
    """
    there = [path for path in {*_base(), *files} if os.path.lexists(output / path)]
    for path in there:
        _check_ours(output / path)
    try:
        for path in files:
            (output / path).parent.mkdir(parents=True, exist_ok=True)
        replace_all({output / path: text for path, text in files.items()})
        for path in set(there) - set(files):
            (output / path).unlink()
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from error


def _check_ours(path: Path) -> None:
    if not (path.is_file() and path.read_bytes().startswith(_MARK.encode())):
        raise InputError(
            f"{path} is in the way: `cxr kubeflow serving` has not written it. Give another "
            "--output, or remove it."
        )
