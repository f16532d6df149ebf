"""One of several workers that train together: runs the Trainer on what Transform has left.

A run with `trainer.distribution=multi_worker` ends before training, since it is one process. Then
every worker runs `cxr train-worker`, with the run folder at the same path and TF_CONFIG in its
environment. What the chief makes is the Trainer's of that run: the same `cxr run` once more goes on
from there.
"""

import os
import tempfile

from tfx.components.trainer.fn_args_utils import FnArgs

from components.shared.errors import InputError
from components.shared.features import EVAL, TRAIN
from components.shared.lineage import NodeRun, newest_run_of
from components.shared.nodes import TRANSFORM
from components.shared.run_folder import RunFolder, locked
from components.trainer.run_fn import run_fn
from components.trainer.workers import MULTI_WORKER, will_be_chief
from pipeline.config import Config, load_config
from pipeline.graph import trainer_settings
from pipeline.runners.local import run_trainer


def train(folder: RunFolder) -> None:
    """Trains as the worker that TF_CONFIG makes of this process.

    Args:
        folder: of the run.

    Raises:
        InputError: it is no run that is waiting for workers, or the data or a setting is bad.
    """
    config, transform = _read(folder)
    if will_be_chief():
        with locked(folder):
            run_trainer(config, folder)
        return
    # The others keep nothing but the checkpoints, whose folder is in the settings.
    with tempfile.TemporaryDirectory() as scratch:
        run_fn(_fn_args(config, folder, transform, scratch))


def _read(folder: RunFolder) -> tuple[Config, NodeRun]:
    """Returns a run's configuration, and where it has transformed Examples."""
    transform = None
    if folder.config.is_file() and folder.metadata.is_file():
        transform = newest_run_of(str(folder.metadata), TRANSFORM)
    if transform is None:
        raise InputError(f"--run {folder.root} is no run folder with transformed films.")
    config = load_config(str(folder.config))
    if config.trainer.distribution != MULTI_WORKER:
        raise InputError(
            f"--run {folder.root} is a run with trainer.distribution="
            f"{config.trainer.distribution}: workers need one with {MULTI_WORKER}."
        )
    return config, transform


def _fn_args(config: Config, folder: RunFolder, transform: NodeRun, scratch: str) -> FnArgs:
    """Returns what TFX's Trainer gives to `run_fn`, but for where the chief writes."""
    examples = transform.output("transformed_examples").uri
    return FnArgs(
        train_files=[os.path.join(examples, f"Split-{TRAIN}", "*")],
        eval_files=[os.path.join(examples, f"Split-{EVAL}", "*")],
        transform_graph_path=transform.output("transform_graph").uri,
        serving_model_dir=os.path.join(scratch, "model"),
        model_run_dir=os.path.join(scratch, "run"),
        custom_config=trainer_settings(config, str(folder.artifacts)).model_dump(),
    )
