"""What several commands are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
# Whether it is there is for the command to say, in its own words.
PATH = click.Path(path_type=Path)


def config_options(command: Function) -> Function:
    """Adds `--config` and `--set`, as `config` and `overrides`."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one setting, such as trainer.epochs=5; may be given again.",
    )(command)
    return click.option(
        "--config",
        default="default",
        metavar="NAME|FILE",
        help="A preset (demo, quick, default, seed) or a YAML file.",
    )(command)
