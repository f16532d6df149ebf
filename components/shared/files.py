"""Files that are whole or not there. Imports nothing slow."""

from collections.abc import Mapping
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Writes a file as a whole, or leaves the one before."""
    replace_all({path: text})


def replace_all(texts: Mapping[Path, str]) -> None:
    """Writes files as a whole, all of them or none, or leaves those before."""
    parts = {path: path.with_name(f"{path.name}.part") for path in texts}
    try:
        for path, part in parts.items():
            part.write_text(texts[path], encoding="utf-8")
    except OSError:
        for part in parts.values():
            part.unlink(missing_ok=True)
        raise
    for path, part in parts.items():
        part.replace(path)
