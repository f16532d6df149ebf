"""`cxr kubeflow submit`."""

import click

from components.shared.exit_codes import DONE
from pipeline.cli.kubeflow.server import reach, server_options


@click.command(
    short_help="Run the pipeline on a cluster.",
    help="Starts a run on a server of Kubeflow Pipelines and prints its id. PIPELINE is a compiled "
    "file, or the name of a pipeline that the server has.",
)
@server_options
def submit(pipeline: str, host: str, experiment: str, name: str, namespace: str | None) -> int:
    """Starts a run and says its id."""
    print(reach(host, namespace).submit(pipeline, experiment, name))
    return DONE
