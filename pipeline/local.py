"""The pipeline on this machine, by LocalDagRunner."""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from absl import logging as absl_logging
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.errors import InputError
from components.example_gen import files
from components.trainer.backbone import check_backbone
from pipeline.config import Config
from pipeline.graph import create_pipeline


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


@dataclass
class NodeTimes:
    """Seconds per node of one run, and which came from the cache."""

    seconds: dict[str, float] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)


# Called with the node's name and, at its end, its seconds and whether it came from the cache.
OnStart = Callable[[str], None]
OnEnd = Callable[[str, float, bool], None]


class _NodeWatch(logging.Handler):
    """Learns from LocalDagRunner's log which node runs; it offers no other way to watch it."""

    def __init__(self, on_start: OnStart, on_end: OnEnd) -> None:
        super().__init__(logging.INFO)
        self._on_start, self._on_end = on_start, on_end
        self._started = 0.0
        self._cached = False
        self.times = NodeTimes()

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "Component %s is running.":
            self._started, self._cached = time.monotonic(), False
            self._on_start(str(record.args[0]))  # type: ignore[index]
        elif record.msg == "A cached execution %d is used.":
            self._cached = True
        elif record.msg == "Component %s is finished.":
            node = str(record.args[0])  # type: ignore[index]
            seconds = time.monotonic() - self._started
            self.times.seconds[node] = seconds
            if self._cached:
                self.times.cached.append(node)
            self._on_end(node, seconds, self._cached)


def check_before(config: Config, data: str) -> None:
    """Fails before anything is written where the data or the weights cannot be had.

    Raises:
        InputError: says which, and what to do.
    """
    files.find_class_folders(data)
    check_backbone(config.trainer.backbone)


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


def run_pipeline(
    config: Config, data: str, folder: RunFolder, on_start: OnStart, on_end: OnEnd
) -> NodeTimes:
    """Runs the pipeline in this process.

    Args:
        config: what to do.
        data: the data set's folder.
        folder: where everything goes; nodes whose inputs have not changed come from its cache.
        on_start: called as each node begins.
        on_end: called as each node ends.

    Returns:
        The seconds of each node.

    Raises:
        InputError: the data or a setting cannot be used.
    """
    pipeline = create_pipeline(
        config,
        data,
        str(folder.artifacts),
        str(folder.serving_model(config.pusher.model_name)),
        metadata.sqlite_metadata_connection_config(str(folder.metadata)),
    )
    folder.config.write_text(config.to_yaml(), encoding="utf-8")
    watch = _NodeWatch(on_start, on_end)
    absl_logging.set_verbosity(absl_logging.INFO)
    logger = absl_logging.get_absl_logger()
    logger.addHandler(watch)
    try:
        LocalDagRunner().run(pipeline)
    finally:
        logger.removeHandler(watch)
    return watch.times

