"""`cxr run`."""

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.shared.errors import BadFilmsError, InputError
from components.shared.exit_codes import DONE, FAILED, REFUSED
from components.shared.run_folder import REPORT_FILE, RunFolder, locked
from pipeline.cli.options import PATH, config_options

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.config import Config

_DEMO = "demo"


@click.command(
    short_help="From films to a pushed model, on this machine.",
    help="Runs the pipeline on this machine. Exit status: 0 a model was pushed, 3 the gate refused "
    "it, 2 bad input or configuration, 1 anything else.",
)
@click.option(
    "--data",
    type=PATH,
    metavar="DIR|TABLE",
    help="Folder with train, test and perhaps val, each with NORMAL and PNEUMONIA; or a table "
    "(.csv, .tsv or .parquet) with a column of paths to films and one of labels, which "
    "example_gen.table says; with --config demo, generated films by default.",
)
@click.option(
    "--output", type=PATH, metavar="DIR", required=True, help="Folder of the run; made if absent."
)
@config_options
@click.option("-v", "--verbose", is_flag=True, help="Show TFX's log on the screen.")
def run(
    data: Path | None, output: Path, config: str, overrides: tuple[str, ...], verbose: bool
) -> int:
    """Runs the pipeline and returns the exit status."""
    from components.example_gen.layouts import TABLE_SUFFIXES, is_table_name
    from pipeline.config import load_config
    from pipeline.display import screen

    resolved = load_config(config, overrides).on_this_machine()
    if data is None and config != _DEMO:
        raise InputError(
            f"--data is missing: --config {config} needs films; only --config {_DEMO} "
            "makes its own."
        )
    if data is not None and not data.is_dir() and not (data.is_file() and is_table_name(data.name)):
        raise InputError(
            f"The data folder {data} does not exist or is no folder, and no table "
            f"({', '.join(TABLE_SUFFIXES)}) either."
        )
    # Before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "2")
    folder = RunFolder(output.resolve())
    with locked(folder), screen(folder.log, verbose) as console:
        try:
            return _run_here(resolved, data, folder, console)
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            console.print(f"Failed: {type(error).__name__}: {first}", soft_wrap=True)
            console.print(f"The whole story is in {folder.log}", soft_wrap=True)
            return FAILED


def _run_here(config: "Config", data: Path | None, folder: RunFolder, console: "Console") -> int:
    console.print(f"Run folder: {folder.root}", soft_wrap=True, highlight=False)
    from components.shared import progress
    from pipeline import results
    from pipeline.demo import write_demo_data
    from pipeline.display import Display, show_results
    from pipeline.runners import local

    if data is None:
        data = folder.root / "data"
        write_demo_data(data)
    local.check_before(config, str(data.resolve()))
    display = Display(console)
    try:
        with display.live(), progress.listen(display.advance):
            local.run_pipeline(config, str(data.resolve()), folder, display.start, display.end)
    except BadFilmsError as error:
        results.write_quarantine(folder, error.quarantine)
        raise
    metrics = results.conclude(folder)
    show_results(console, metrics, folder.report / REPORT_FILE)
    if metrics["pushed"]:
        return DONE
    return FAILED if metrics["blessed"] else REFUSED
