"""What commands that ask a server of Kubeflow Pipelines are given."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.kubeflow.installed import installed

if TYPE_CHECKING:
    from pipeline.runners.kubeflow.submit import Server

Function = TypeVar("Function", bound=Callable[..., Any])
_EXPERIMENT = "chest-xray-pneumonia"

_OPTIONS = (
    click.argument("pipeline", metavar="PIPELINE"),
    click.option(
        "--host", required=True, metavar="URL", help="Of the server of Kubeflow Pipelines."
    ),
    click.option(
        "--experiment",
        default=_EXPERIMENT,
        metavar="NAME",
        help=f"Made if absent (default: {_EXPERIMENT}).",
    ),
    click.option(
        "--name",
        default=_EXPERIMENT,
        metavar="NAME",
        help=f"Of the run (default: {_EXPERIMENT}).",
    ),
    click.option("--namespace", metavar="NAME", help="Where the server has several users."),
)


def server_options(command: Function) -> Function:
    """Adds the pipeline, and `--host`, `--experiment`, `--name` and `--namespace`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def reach(host: str, namespace: str | None) -> "Server":
    """Returns the server; see `Server` for the errors."""
    with installed():
        from pipeline.runners.kubeflow.submit import Server

    return Server(host, namespace)
