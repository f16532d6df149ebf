"""`cxr train-worker`."""

import os
from pathlib import Path

import click

from components.shared.exit_codes import DONE
from components.shared.run_folder import RunFolder
from pipeline.cli.options import PATH


@click.command(
    short_help="One of several workers that train together.",
    help="Runs the Trainer of a run with trainer.distribution=multi_worker, in each process that "
    "TF_CONFIG in the environment names, with the run folder at the same path in all of them. The "
    "same cxr run once more goes on from what they have made.",
)
@click.option(
    "--run", type=PATH, metavar="DIR", required=True, help="Folder given to cxr run --output."
)
def train_worker(run: Path) -> int:
    """Trains."""
    # Before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from pipeline.runners.train_worker import train

    train(RunFolder(run.resolve()))
    return DONE
