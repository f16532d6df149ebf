"""`cxr serve`."""

import os
import warnings
from pathlib import Path

import click

from components.shared.exit_codes import DONE
from pipeline.cli.options import PATH
from serving.client import TOKEN_VARIABLE


@click.command(
    short_help="A model server: TensorFlow Serving's REST and gRPC, and a page.",
    help="Serves a pushed model, and each newer version as it appears: by TensorFlow Serving where "
    "there is one, otherwise by a server of its own, which has a page too.",
)
@click.option(
    "--model",
    type=PATH,
    metavar="DIR",
    required=True,
    help="Folder of a pushed model's versions; its name is the model's.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="HOST",
    help="To listen on (default: 127.0.0.1); another than this machine needs a token, "
    f"{TOKEN_VARIABLE} in the environment.",
)
@click.option(
    "--port", type=int, default=8501, metavar="N", help="Of REST and the page (default: 8501)."
)
@click.option("--grpc-port", type=int, default=8500, metavar="N", help="Of gRPC (default: 8500).")
@click.option(
    "--backend",
    type=click.Choice(("auto", "tf-serving", "docker", "embedded")),
    default="auto",
    help="tf-serving: tensorflow_model_server on the PATH; docker: its image; embedded: the server "
    "with the page; auto: the first that is there, and embedded where a token is asked for.",
)
def serve(model: Path, host: str, port: int, grpc_port: int, backend: str) -> int:
    """Serves until a signal."""
    # Before TensorFlow is imported, which says much about graphics cards that are not there.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Of Google's libraries, about the version of Python.
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    from serving.server import command
    from serving.server.backends import Address

    command.run(model, Address(host, port, grpc_port), backend, os.environ)
    return DONE
