"""The command line, `cxr`, a module a command.

TFX takes many seconds to import, so a module imports what is slow when its command runs.
"""

import os
import sys
from collections.abc import Sequence

import click

from components.shared.errors import InputError
from components.shared.exit_codes import BAD_INPUT, FAILED
from pipeline.cli.kubeflow import kubeflow
from pipeline.cli.predict import predict
from pipeline.cli.report import report
from pipeline.cli.run import run
from pipeline.cli.serve import serve
from pipeline.cli.train_worker import train_worker


@click.group(
    help="Trains, gates and serves a second reader for pneumonia on paediatric chest radiographs. "
    "Decision support, not a medical device.",
    commands=[run, report, predict, kubeflow, serve, train_worker],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cxr() -> None:
    """Has a docstring that nobody sees; `help` is what is shown."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status.

    Args:
        arguments: of the command line; the process' own by default.

    Returns:
        0 a model was pushed, or what was asked for is done; 1 something failed; 2 bad input, usage
        or configuration; 3 the gate refused the model.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with cxr.make_context("cxr", given) as context:
            return int(cxr.invoke(context))
    except click.exceptions.Exit as end:  # of --help
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except InputError as error:
        print(f"cxr: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # who reads standard output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        print("cxr: interrupted; run again to go on from here.", file=sys.stderr)
        return FAILED
