"""The pipeline on this machine, by LocalDagRunner."""

import logging
import time
from collections.abc import Callable

from absl import logging as absl_logging
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.orchestration import pipeline_pb2

from components.example_gen import source
from components.shared.files import replace
from components.shared.nodes import PUSHER, TRAINER
from components.shared.run_folder import RunFolder
from components.shared.versions import latest_version
from components.trainer.backbone import check_backbone
from pipeline.config import Config
from pipeline.graph import create_pipeline
from pipeline.runners import beam

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

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "Component %s is running.":
            self._started, self._cached = time.monotonic(), False
            self._on_start(str(record.args[0]))  # type: ignore[index]
        elif record.msg == "A cached execution %d is used.":
            self._cached = True
        elif record.msg == "Component %s is finished.":
            node = str(record.args[0])  # type: ignore[index]
            self._on_end(node, time.monotonic() - self._started, self._cached)


def check_before(config: Config, data: str) -> None:
    """Fails before anything is written where something that the run needs cannot be had.

    Raises:
        InputError: says which, and what to do.
    """
    source.check(data, config.example_gen)
    check_backbone(config.trainer.backbone)
    beam.check_endpoint(beam.beam_args(config.beam))


def run_pipeline(
    config: Config, data: str, folder: RunFolder, on_start: OnStart, on_end: OnEnd
) -> None:
    """Runs the pipeline in this process.

    Args:
        config: what to do.
        data: the data set's folder or table.
        folder: where everything goes; nodes whose inputs have not changed come from its cache.
        on_start: called as each node begins.
        on_end: called as each node ends.

    Raises:
        InputError: the data or a setting cannot be used.
    """
    serving_model = str(folder.serving_model(config.pusher.model_name))
    pipeline = _create(config, data, folder)
    replace(folder.config, config.to_yaml())
    beam.put_python_first()
    watch = _NodeWatch(on_start, on_end)
    absl_logging.set_verbosity(absl_logging.INFO)
    logger = absl_logging.get_absl_logger()
    logger.addHandler(watch)
    try:
        LocalDagRunner().run_with_ir(_compile(pipeline, serving_model))
    finally:
        logger.removeHandler(watch)


def run_trainer(config: Config, folder: RunFolder) -> None:
    """Runs the Trainer alone, on what the newest run has transformed; a later run finds its model.

    Args:
        config: of that run.
        folder: its folder.

    Raises:
        InputError: the data or a setting cannot be used.
    """
    # The data set is not looked at again.
    compiled = Compiler().compile(_create(config, "", folder))
    options = pipeline_pb2.RunOptions()
    options.partial_run.from_nodes.append(TRAINER)
    options.partial_run.to_nodes.append(TRAINER)
    options.partial_run.snapshot_settings.latest_pipeline_run_strategy.SetInParent()
    LocalDagRunner().run_with_ir(compiled, options)


def _create(config: Config, data: str, folder: RunFolder) -> Pipeline:
    return create_pipeline(
        config,
        data,
        str(folder.artifacts),
        str(folder.serving_model(config.pusher.model_name)),
        metadata.sqlite_metadata_connection_config(str(folder.metadata)),
        str(folder.patient_key),
    )


def _compile(pipeline: Pipeline, serving_model: str) -> pipeline_pb2.Pipeline:
    """Compiles the graph; where nothing is served, Pusher runs whatever its cache says."""
    compiled = Compiler().compile(pipeline)
    if not latest_version(serving_model):
        for node in compiled.nodes:
            if node.pipeline_node.node_info.id == PUSHER:
                node.pipeline_node.execution_options.caching_options.enable_cache = False
    return compiled
