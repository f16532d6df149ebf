"""What came of a run on this machine, brought from its artifacts to the run folder."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.example_gen.executor import write_quarantine as write_rows
from components.reporter import store
from components.reporter.executor import REPORT_KEY
from components.shared.artifacts import QUARANTINE_FILE
from components.shared.errors import InputError
from components.shared.files import replacing
from components.shared.lineage import latest_run
from components.shared.nodes import PUSHER, REPORTER
from components.shared.run_folder import METRICS_FILE, RunFolder


def conclude(folder: RunFolder) -> dict[str, Any]:
    """Copies what Reporter wrote in the run that has just ended, and returns the metrics.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: the version that an earlier run pushed has been removed since.
    """
    run = latest_run(str(folder.metadata))
    pushed = run[PUSHER].output("pushed_model").properties
    if pushed.get("pushed") and not os.path.isdir(pushed["pushed_destination"]):
        raise InputError(
            f"Version {pushed['pushed_version']} of this model was pushed before and has been "
            f"removed since: put {pushed['pushed_destination']} back, or run with another --output."
        )
    store.copy(Path(run[REPORTER].output(REPORT_KEY).uri), folder.report)
    metrics: dict[str, Any] = json.loads((folder.report / METRICS_FILE).read_text("utf-8"))
    return metrics


def write_quarantine(folder: RunFolder, rows: Sequence[tuple[str, str]]) -> None:
    """Writes report/quarantine.csv: each file that was put aside, and why."""
    with replacing(folder.report / QUARANTINE_FILE) as part:
        write_rows(str(part), rows)
