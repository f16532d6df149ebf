"""Which code ran."""

import hashlib
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

_DISTRIBUTION = "cxr-pneumonia-pipeline"
_TIME_LIMIT_S = 10
# The rooms below all others, and the files that make a room.
_BELOW = ("films", "shared")
_CODE = (".py", ".pbtxt", ".html")


def code_version() -> dict[str, str]:
    """Returns `package`, this package's version, and `commit` where it can be told.

    The git checkout tells that holds the code, or the image that it came in. The commit ends in
    `-dirty` where files differ from it.
    """
    found = {"package": version(_DISTRIBUTION)}
    commit = _commit(Path(__file__).resolve()) or os.environ.get("CXR_REVISION")
    if commit:
        found["commit"] = commit
    return found


def code_key(room: str) -> str:
    """Returns what the results of a node in a cache belong to: the code that made them.

    Args:
        room: folder of the node in `components`; what stands below it counts too.

    Returns:
        The package's version and a hash of the files of these folders.
    """
    digest = hashlib.sha256()
    components = Path(__file__).parents[1]
    for name in (room, *_BELOW):
        folder = components / name
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _CODE):
            place = path.relative_to(components).as_posix()
            digest.update(f"{place} {path.stat().st_size}\n".encode() + path.read_bytes())
    return f"{version(_DISTRIBUTION)} {digest.hexdigest()[:16]}"


def _commit(file: Path) -> str | None:
    """Returns the commit of a file's checkout; None where git does not know the file."""
    # A virtual environment may lie inside of a checkout of something else.
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    """Returns what git says; None where there is no git, or it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
