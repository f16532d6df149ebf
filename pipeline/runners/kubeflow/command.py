"""`cxr kubeflow compile`, `submit` and `schedule`."""

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from absl import logging

from components.shared.errors import InputError
from components.shared.files import replace
from pipeline.config import load_config


def compile_(options: argparse.Namespace) -> None:
    """Writes the compiled pipeline and says where.

    Raises:
        InputError: a setting cannot be used, or the file cannot be written.
    """
    config = load_config(options.config, options.overrides)
    if options.output.suffix not in (".yaml", ".yml"):
        raise InputError(f"--output {options.output} does not end in .yaml.")
    with warnings.catch_warnings():
        # Of libraries about one another, as they are imported.
        warnings.simplefilter("ignore", FutureWarning)
        with _installed():
            from pipeline.runners.kubeflow.compile import compile_pipeline
    # TFX warns that the images' default is missing where it is given.
    logging.set_verbosity(logging.ERROR)
    text = compile_pipeline(config)
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        replace(options.output, text)
    except OSError as error:
        raise InputError(f"{options.output} cannot be written: {error.strerror}.") from error
    print(options.output.resolve())


def submit(options: argparse.Namespace) -> None:
    """Starts a run and says its id; see `Server` for the errors."""
    with _installed():
        from pipeline.runners.kubeflow.submit import Server

    server = Server(options.host, options.namespace)
    print(server.submit(options.pipeline, options.experiment, options.name))


def schedule(options: argparse.Namespace) -> None:
    """Starts a recurring run and says its id; see `Server` for the errors."""
    with _installed():
        from pipeline.runners.kubeflow.submit import Server

    server = Server(options.host, options.namespace)
    print(server.schedule(options.pipeline, options.experiment, options.name, options.cron))


@contextmanager
def _installed() -> Iterator[None]:
    """Around imports of what only the extra `kubeflow` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"The package {error.name} is not installed, which `cxr kubeflow` needs: install the "
            "project with its extra kubeflow."
        ) from error
