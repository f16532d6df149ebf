"""`cxr kubeflow`, a module a command."""

import click

from pipeline.cli.kubeflow.compile import compile_
from pipeline.cli.kubeflow.schedule import schedule
from pipeline.cli.kubeflow.serving import serving
from pipeline.cli.kubeflow.submit import submit


@click.group(help="What a cluster needs.", commands=[compile_, submit, schedule, serving])
def kubeflow() -> None:
    """Has a docstring that nobody sees; `help` is what is shown."""
