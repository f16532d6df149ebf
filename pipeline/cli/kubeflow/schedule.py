"""`cxr kubeflow schedule`."""

import re
from typing import NamedTuple

import click

from components.shared.errors import InputError
from components.shared.exit_codes import DONE
from pipeline.cli.kubeflow.server import reach, server_options


class _Field(NamedTuple):
    """One of the fields of a time, its ends, and whether it may be words."""

    name: str
    low: int
    high: int
    words: bool = False

    def allows(self, part: str) -> bool:
        """Whether it may be the part of a list."""
        match = _PART.fullmatch(part)
        ends = (match["low"], match["high"]) if match else ("",)
        return all(
            self.low <= int(end) <= self.high if end.isdecimal() else self.words and end.isalpha()
            for end in ends
            if end is not None
        )


# What Kubeflow's parser takes (robfig/cron, version 1), which takes the first of five fields for
# seconds without a word.
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, words=True),
    _Field("day of the week", 0, 6, words=True),
)
_SHORT = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9hms.]+)")
_PART = re.compile(r"(\*|\?|(?P<low>\w+)(-(?P<high>\w+))?)(/[1-9]\d*)?")


def check_cron(cron: str) -> None:
    """Raises InputError where Kubeflow would understand something else, or nothing."""
    if _SHORT.fullmatch(cron):
        return
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise InputError(
            f"--cron {cron!r} has {len(fields)} fields; Kubeflow takes six, seconds first, such as "
            '"0 0 3 * * 1".'
        )
    for field, text in zip(_FIELDS, fields, strict=True):
        if not all(map(field.allows, text.split(","))):
            raise InputError(f"--cron {cron!r}: {text!r} is no {field.name}.")


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
    check_cron(cron)
    print(reach(host, namespace).schedule(pipeline, experiment, name, cron))
    return DONE
