"""`cxr kubeflow serving`."""

from pathlib import Path

import click

from components.shared.exit_codes import DONE
from pipeline.cli.options import PATH


@click.command(
    short_help="Manifests that serve a pushed model by TensorFlow Serving and KServe.",
    help="Writes the manifests that serve the model of RUN, a folder given to cxr run --output: a "
    "compose file, and objects for Kubernetes and KServe. The newest version is the stable one.",
)
@click.argument("run", type=PATH, metavar="RUN")
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    required=True,
    help="Folder of the manifests; made if absent.",
)
@click.option(
    "--canary",
    metavar="VERSION",
    help="Try this version beside the stable one, which is then the newest of the others.",
)
@click.option(
    "--storage",
    metavar="URI",
    help="Where a cluster has the model's folder of versions: pvc://CLAIM[/PATH], or s3:// or "
    "gs://BUCKET[/PATH] for KServe alone (default: a claim, which is among the manifests).",
)
@click.option("--namespace", metavar="NAME", help="Of the objects.")
def serving(
    run: Path, output: Path, canary: str | None, storage: str | None, namespace: str | None
) -> int:
    """Writes the manifests and says what they serve."""
    from serving.manifests import command

    command.run(run, output, canary=canary, storage=storage, namespace=namespace)
    return DONE
