"""Where a run keeps what it makes. Imports nothing slow."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.errors import InputError


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

    @property
    def report(self) -> Path:
        """The report and what goes with it."""
        return self.root / "report"

    @property
    def log(self) -> Path:
        """What TFX, Beam and TensorFlow say."""
        return self.root / "run.log"

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.yaml"


def replace(path: Path, text: str) -> None:
    """Writes a file as a whole, or leaves the one before."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Makes the run folder and keeps other runs out of it meanwhile.

    Raises:
        InputError: the folder cannot be written, or another run is in it.
    """
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
