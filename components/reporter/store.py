"""The report's folder: all that the report needs, so that it can be made again without TFX."""

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.reporter.content import Content
from components.reporter.render import render
from components.shared.errors import InputError
from components.shared.files import replace, replacing
from components.shared.run_folder import METRICS_FILE, REPORT_FILE, RunFolder

# Written last: where it is, the rest is whole.
CONTENT_FILE = "content.json"
_PICTURES = "errors"


def save(report: Path, content: Content) -> None:
    """Writes metrics, pictures, report and content of a run that has ended.

    Args:
        report: the report's folder.
        content: what came of it; what is not a finite number is written as null.
    """
    fields = {
        field.name: getattr(content, field.name)
        for field in dataclasses.fields(content)
        if field.name != "pictures"
    }
    # A run that is cut here has no content that does not match its pictures.
    (report / CONTENT_FILE).unlink(missing_ok=True)
    replace(report / METRICS_FILE, _json(content.metrics))
    _write_pictures(report, content.pictures)
    write_report(report, content)
    replace(report / CONTENT_FILE, _json(fields))


def copy(source: Path, report: Path) -> None:
    """Copies what `save` has written, and what lies beside it, to another folder.

    Args:
        source: the report's folder.
        report: the other one, of which nothing of an earlier report stays.
    """
    (report / CONTENT_FILE).unlink(missing_ok=True)
    shutil.rmtree(report / _PICTURES, ignore_errors=True)
    if (source / _PICTURES).is_dir():
        shutil.copytree(source / _PICTURES, report / _PICTURES)
    names = [path.name for path in source.iterdir() if path.is_file()]
    for name in sorted(names, key=lambda name: (name == CONTENT_FILE, name)):
        with replacing(report / name) as part:
            shutil.copyfile(source / name, part)


def write_report(report: Path, content: Content) -> Path:
    """Writes the page into the report's folder and returns its path."""
    path = report / REPORT_FILE
    replace(path, render(content))
    return path


def load(folder: RunFolder) -> Content:
    """Reads what `save` wrote.

    Raises:
        InputError: there is no such folder, it is no run's, or the run has not finished.
    """
    if not folder.root.is_dir():
        raise InputError(f"The run folder {folder.root} does not exist or is no folder.")
    path = folder.report / CONTENT_FILE
    if not path.is_file():
        raise InputError(_why_absent(folder))
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        content = Content(**fields)
        pictures = {
            error["picture"]: picture.read_bytes()
            for error in content.metrics.get("errors") or ()
            if (picture := _picture(folder.report, error["picture"])).is_file()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}): run `cxr run` with this --output "
            "again, and what has not changed comes from the cache."
        ) from error
    return dataclasses.replace(content, pictures=pictures)


def without_nan(value: Any) -> Any:
    """Replaces what JSON cannot say by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(without_nan(value), indent=2, allow_nan=False)


def _write_pictures(report: Path, pictures: Mapping[str, bytes]) -> None:
    shutil.rmtree(report / _PICTURES, ignore_errors=True)
    for name, picture in pictures.items():
        path = _picture(report, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)


def _picture(report: Path, name: str) -> Path:
    # The name alone: a path in a file that was passed on may point anywhere.
    return report / _PICTURES / Path(name).name


def _why_absent(folder: RunFolder) -> str:
    if (folder.report / METRICS_FILE).is_file():
        return (
            f"The run in {folder.root} left no {CONTENT_FILE}, of which the report is made (an "
            "earlier version made it, or it was cut at its end): run `cxr run` with this --output "
            "again, and what has not changed comes from the cache."
        )
    if any(path.exists() for path in (folder.metadata, folder.config, folder.log)):
        return f"The run in {folder.root} has not finished: there is nothing to report yet."
    return f"{folder.root} is no run folder: give one that `cxr run --output` has made."
