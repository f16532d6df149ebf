"""`cxr report`."""

from pathlib import Path

import click

from components.shared.errors import InputError
from components.shared.exit_codes import DONE
from components.shared.files import replace
from components.shared.run_folder import REPORT_FILE, RunFolder, locked
from pipeline.cli.options import PATH

_COMPARISON = "comparison.html"


@click.command(
    short_help="The report of a run again, or several runs side by side.",
    help="Writes the report of a run folder again, without running anything; of several, a page "
    "that sets them side by side. RUN is a folder given to cxr run --output.",
)
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="Page of several runs (default: comparison.html); one run's report lies in its folder.",
)
def report(runs: tuple[Path, ...], output: Path | None) -> int:
    """Writes the page and says where."""
    from components.reporter import store

    folders = [RunFolder(path.resolve()) for path in runs]
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            raise InputError(f"The run folder {folder.root} is given twice.")
    contents = [store.load(folder) for folder in folders]
    if len(folders) == 1:
        (folder,) = folders
        if output is not None:
            raise InputError(
                f"--output {output} is for several runs; the report of one is written to "
                f"{folder.report / REPORT_FILE}."
            )
        with locked(folder):
            print(store.write_report(folder.report, contents[0]))
        return DONE
    from components.reporter.compare import compare

    path = output or Path(_COMPARISON)
    page = compare([folder.root for folder in folders], contents)
    try:
        replace(path, page)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    print(path.resolve())
    return DONE
