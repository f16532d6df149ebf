"""Where a run keeps what it makes. Imports nothing slow."""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.shared.errors import InputError
from components.shared.versions import local_versions

# In the folder of the report.
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
PATIENT_KEY_FILE = "patient.key"
_PATTERN = re.compile(r"[*?\[\]]")


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes."""

    root: Path

    @property
    def metadata(self) -> Path:
        """MLMD's SQLite file."""
        return self.root / "metadata.sqlite"

    @property
    def artifacts(self) -> Path:
        """The nodes' outputs, one folder a node."""
        return self.root / "artifacts"

    def serving_model(self, name: str) -> Path:
        """The folder of versions that a model server watches."""
        return self.root / "serving_model" / name

    def versions(self, name: str) -> list[str]:
        """The whole versions of a model that are there to be served, oldest first."""
        folder = self.serving_model(name)
        return local_versions(folder) if folder.is_dir() else []

    @property
    def report(self) -> Path:
        """The report and what goes with it."""
        return self.root / "report"

    @property
    def log(self) -> Path:
        """What TFX, Beam and TensorFlow say."""
        return self.root / "run.log"

    @property
    def patient_key(self) -> Path:
        """The key by which patients are hashed, where none was given."""
        return self.root / PATIENT_KEY_FILE

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.yaml"


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Makes the run folder and keeps other runs out of it meanwhile.

    Raises:
        InputError: the folder cannot be written or used, or another run is in it.
    """
    if _PATTERN.search(str(folder.root)):
        raise InputError(
            f"The output folder {folder.root} cannot be used: Beam takes a path with any of *?[] "
            "for a pattern."
        )
    try:
        folder.report.mkdir(parents=True, exist_ok=True)
        lock = open(folder.root / ".lock", "w")  # noqa: SIM115 - held to the end of the block
    except OSError as error:
        raise InputError(
            f"The output folder {folder.root} cannot be written: {error.strerror}."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"Another run is using the output folder {folder.root}.") from error
        yield
