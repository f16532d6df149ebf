"""Which code ran."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

_DISTRIBUTION = "cxr-pneumonia-pipeline"
_TIME_LIMIT_S = 10
_DIRTY = "-dirty"


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


def cache_key() -> str:
    """Returns what results in a cache belong to: the package's version and the commit.

    Uncommitted changes do not count, or no result would outlive the next edit of a comment.
    """
    return " ".join(part.removesuffix(_DIRTY) for part in code_version().values())


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
