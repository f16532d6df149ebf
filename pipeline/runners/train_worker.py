"""One of several workers that train together: runs the Trainer on what Transform has left.

    python -m pipeline.runners.train_worker --run runs/default

A run with `trainer.distribution=multi_worker` ends before training, since it is one process. Then
every worker runs this, with the run folder at the same path and TF_CONFIG in its environment. What
the chief makes is the Trainer's of that run: the same `cxr run` once more goes on from there.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components.shared.errors import InputError
from components.shared.features import EVAL, TRAIN
from components.shared.run_folder import RunFolder, locked
from components.trainer.run_fn import run_fn
from components.trainer.workers import MULTI_WORKER, will_be_chief
from pipeline.config import Config, load_config
from pipeline.graph import trainer_settings
from pipeline.lineage import NodeRun, newest_run_of
from pipeline.runners.local import run_trainer

DONE, BAD_INPUT = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains and returns the exit status.

    Args:
        arguments: of the command line; the process' own by default.

    Returns:
        0 trained; 2 bad data or a bad setting.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--run", type=Path, metavar="DIR", required=True, help="folder given to cxr run --output"
    )
    folder = RunFolder(parser.parse_args(arguments).run.resolve())
    try:
        _train(folder)
    except InputError as error:
        print(f"worker: {error}", file=sys.stderr)
        return BAD_INPUT
    return DONE


def _train(folder: RunFolder) -> None:
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
        transform = newest_run_of(str(folder.metadata), "Transform")
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


if __name__ == "__main__":
    sys.exit(main())
