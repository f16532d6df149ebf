"""`cxr kubeflow schedule`."""

import click

from components.shared.exit_codes import DONE
from pipeline.cli.kubeflow.server import reach, server_options


@click.command(
    short_help="Run the pipeline on a cluster again and again.",
    help="Starts a recurring run on a server of Kubeflow Pipelines, which runs one at a time, and "
    "prints its id. PIPELINE is a compiled file, or the name of a pipeline that the server has.",
)
@server_options
@click.option(
    "--cron",
    required=True,
    metavar="WHEN",
    help='Six fields, seconds first, such as "0 0 3 * * 1".',
)
def schedule(
    pipeline: str, host: str, experiment: str, name: str, namespace: str | None, cron: str
) -> int:
    """Starts a recurring run and says its id."""
    print(reach(host, namespace).schedule(pipeline, experiment, name, cron))
    return DONE
