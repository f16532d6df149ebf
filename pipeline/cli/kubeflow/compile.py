"""`cxr kubeflow compile`."""

import os
import warnings
from pathlib import Path

import click

from components.shared.errors import InputError
from components.shared.exit_codes import DONE
from components.shared.files import replace
from pipeline.cli.kubeflow.installed import installed
from pipeline.cli.options import PATH, config_options


@click.command(
    "compile",
    short_help="The pipeline as a file for Kubeflow Pipelines.",
    help="Writes the pipeline as Kubeflow Pipelines takes it. The configuration's section kubeflow "
    "names the image, the data set's volume and where models are pushed.",
)
@click.option("--output", type=PATH, metavar="FILE", required=True, help="Such as pipeline.yaml.")
@config_options
def compile_(output: Path, config: str, overrides: tuple[str, ...]) -> int:
    """Writes the compiled pipeline and says where."""
    # Before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from absl import logging

    from pipeline.config import load_config

    resolved = load_config(config, overrides)
    if output.suffix not in (".yaml", ".yml"):
        raise InputError(f"--output {output} does not end in .yaml.")
    with warnings.catch_warnings():
        # Of libraries about one another, as they are imported.
        warnings.simplefilter("ignore", FutureWarning)
        with installed():
            from pipeline.runners.kubeflow.compile import compile_pipeline
    # TFX warns that the images' default is missing where it is given.
    logging.set_verbosity(logging.ERROR)
    text = compile_pipeline(resolved)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace(output, text)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from error
    print(output.resolve())
    return DONE
