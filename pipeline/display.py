"""What a person sees of a run: a line a node, a bar in the long ones, the table at the end."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from components.shared.artifacts import LEFT_OUT
from components.shared.features import CLASSES
from components.shared.result import COUNTED


@contextmanager
def screen(log: Path, verbose: bool) -> Iterator[Console]:
    """Gives a console to write to, while all else that is printed goes to a file.

    The file descriptors are redirected, since libraries in C++ write past Python.

    Args:
        log: the file, to which is appended.
        verbose: leave everything on the screen instead.
    """
    if verbose:
        yield Console(markup=False)
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept_out, kept_err = os.dup(1), os.dup(2)
    with log.open("ab") as file, os.fdopen(os.dup(1), "w") as terminal:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield Console(file=terminal, markup=False)  # a path may have square brackets
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept_out, 1)
            os.dup2(kept_err, 2)
            os.close(kept_out)
            os.close(kept_err)


class Display:
    """Shows nodes as they run; on a terminal with a bar, elsewhere line by line."""

    def __init__(self, console: Console) -> None:
        """Takes the console to write to."""
        self._console = console
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}

    @contextmanager
    def live(self) -> Iterator[None]:
        """Draws the bars inside the block."""
        with self._progress:
            yield

    def start(self, node: str) -> None:
        """Announces a node."""
        self._tasks[node] = self._progress.add_task(node, total=None)
        if not self._console.is_terminal:
            self._console.print(f"{node} ...")

    def end(self, node: str, seconds: float, cached: bool) -> None:
        """Says how long a node took, and clears its bars."""
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()
        took = "from cache" if cached else f"{seconds:.1f} s"
        self._console.print(f"{node:<22} {took:>10}", highlight=False)

    def advance(self, task: str, done: int, total: int | None) -> None:
        """Moves the bar of what a node is at; see `components.shared.progress`."""
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, total=None)
        if total is not None:
            self._progress.update(self._tasks[task], total=total)
        self._progress.advance(self._tasks[task], done)


def show_results(console: Console, metrics: Mapping[str, Any], report: Path) -> None:
    """Prints the table at the end of a run.

    Args:
        console: to print to.
        metrics: the content of metrics.json.
        report: path of the report.
    """
    console.print(_counts(metrics["counts"]))
    if left_out := _left_out(metrics["counts"]):
        console.print(left_out, soft_wrap=True, highlight=False)
    console.print(_metrics(metrics))
    console.print(_gate(metrics["gate"]))
    if metrics["backbone"] == "none":
        console.print("The net's weights are random: this shows the pipeline, not a detector.")
    if metrics["pushed"]:
        verdict = f"Pushed version {metrics['pushed_version']}: {metrics['model_path']}"
    elif metrics["blessed"]:
        verdict = f"Not pushed: {metrics['serving_check']['refused']}"
    else:
        failed = [
            _refusal(name, verdict)
            for name, verdict in metrics["gate"].items()
            if not verdict["passed"]
        ]
        verdict = f"Refused by the gate ({'; '.join(failed)}): nothing was pushed"
    console.print(verdict, soft_wrap=True, highlight=False)
    if metrics["champion_lost"]:
        console.print(
            f"Compared with no champion: {metrics['champion_lost']}",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)
    console.print(metrics["notice"], soft_wrap=True, highlight=False)


def _counts(counts: Mapping[str, Any]) -> Table:
    """Returns what became of the files; films left out are counted by reason, not by split."""
    fates = {fate: splits for fate, splits in counts.items() if fate != LEFT_OUT}
    found = {name for splits in fates.values() for names in splits.values() for name in names}
    classes = [*CLASSES, *sorted(found - {*CLASSES})]
    table = Table("Films", "split", *classes, title="Data")
    for fate, splits in fates.items():
        for split, numbers in splits.items():
            table.add_row(fate, split, *(str(numbers.get(name, 0)) for name in classes))
    return table


def _left_out(counts: Mapping[str, Any]) -> str:
    """Returns how many films were left out, by reason; empty for none."""
    found = counts.get(LEFT_OUT)
    if not found:
        return ""
    return f"Left out: {', '.join(f'{number} {reason}' for reason, number in found.items())}"


def _metrics(metrics: Mapping[str, Any]) -> Table:
    table = Table("Metric", "value", "95 % interval", title=f"On the {metrics['split']} split")
    found = "by Youden's J on eval" if metrics["youden"] else "none was found"
    table.add_row("threshold", f"{metrics['threshold']:.4f}", found)
    for name in ("auc", "accuracy", "recall", "specificity", "precision", "f1"):
        low, high = metrics["intervals"][name]
        table.add_row(name, _number(metrics[name]), f"{_number(low)} to {_number(high)}")
    table.add_row("loss", _number(metrics["loss"]), "")
    counts = metrics["confusion_matrix"]
    table.add_row("tn fp fn tp", " ".join(str(counts[key]) for key in ("tn", "fp", "fn", "tp")), "")
    return table


def _gate(gate: Mapping[str, Any]) -> Table:
    table = Table("Gate", "value", "at least", "", title="May it be served?")
    for name, verdict in gate.items():
        table.add_row(
            name,
            _gated(name, verdict["value"]) + _interval(verdict["interval"]),
            _gated(name, verdict["bound"]),
            "passed" if verdict["passed"] else "REFUSED",
        )
    return table


def _gated(name: str, value: float | None) -> str:
    return f"{value:.0f}" if name in COUNTED else _number(value)


def _refusal(name: str, verdict: Mapping[str, Any]) -> str:
    """Returns the bound that was not kept; of the champion's, by how much and how surely."""
    if verdict["why"]:
        return f"{name}: {verdict['why']}"
    if name in COUNTED:
        return f"{name}: {verdict['value']:.0f}, and {verdict['bound']:.0f} are needed"
    if not verdict["interval"]:
        return name
    told = f"{_number(verdict['value'])}{_interval(verdict['interval'])}"
    fails = "does not reach" if name.startswith("champion_") else "is not all beyond"
    return f"{name}: the interval of {told} {fails} {_number(verdict['bound'])}"


def _interval(bounds: Sequence[float | None] | None) -> str:
    return f" ({_number(bounds[0])} to {_number(bounds[1])})" if bounds else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
