"""`cxr predict`."""

import os
from pathlib import Path

import click

from components.shared.exit_codes import BAD_INPUT, DONE
from pipeline.cli.options import PATH
from serving.client import DEFAULT_SERVER, TOKEN_VARIABLE


@click.command(
    short_help="What a pushed model says of films.",
    help="Asks a model server, or a model's folder, for the probability of pneumonia of each FILE: "
    "JPEG, PNG or DICOM; folders and patterns too. Exit status: 0 every film has an answer, 2 some "
    "have none, or bad input.",
)
@click.argument("films", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--server",
    metavar="URL",
    help="Of a model server: http://HOST:PORT[/v1/models/NAME] or grpc://HOST:PORT[/NAME] "
    f"(default: {DEFAULT_SERVER}); its bearer token is {TOKEN_VARIABLE} in the environment.",
)
@click.option(
    "--model",
    type=PATH,
    metavar="DIR",
    help="Folder of a pushed model, to run it here without a server.",
)
@click.option(
    "--adults",
    is_flag=True,
    help="The --server's model is for adults too: ask for their DICOM films. A --model says so "
    "itself.",
)
@click.option("--csv", type=PATH, metavar="FILE", help="Write the answers there.")
@click.option("--json", type=PATH, metavar="FILE", help="Write the answers there.")
@click.option(
    "--concurrency", type=int, default=8, metavar="N", help="Requests at once (default: 8)."
)
def predict(
    films: tuple[str, ...],
    server: str | None,
    model: Path | None,
    adults: bool,
    csv: Path | None,
    json: Path | None,
    concurrency: int,
) -> int:
    """Asks and returns the exit status."""
    if server is not None and model is not None:
        raise click.UsageError("--server and --model are not allowed together.")
    if adults and model is not None:
        raise click.UsageError("--adults and --model are not allowed together.")
    # Before TensorFlow is imported, if it is.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from serving.client import command

    answered = command.run(
        films,
        server=server,
        model=model,
        adults=adults,
        csv_file=csv,
        json_file=json,
        concurrency=concurrency,
    )
    return DONE if answered else BAD_INPUT
