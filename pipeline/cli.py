"""The command line, `cxr`. TFX takes many seconds to import, so nothing here imports it early."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.shared.errors import BadFilmsError, InputError
from components.shared.files import replace
from components.shared.run_folder import REPORT_FILE, RunFolder, locked
from serving.client import DEFAULT_SERVER, TOKEN_VARIABLE

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.config import Config

PUSHED, FAILED, BAD_INPUT, REFUSED = 0, 1, 2, 3
DONE = 0
_DEMO = "demo"
_COMPARISON = "comparison.html"
_EXPERIMENT = "chest-xray-pneumonia"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status.

    Args:
        arguments: of the command line; the process' own by default.

    Returns:
        0 a model was pushed, or a report written; 1 something failed; 2 bad input or
        configuration; 3 the gate refused the model.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except InputError as error:
        print(f"cxr: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("cxr: interrupted; run again to go on from here.", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr",
        description="Trains, gates and serves a second reader for pneumonia on paediatric chest "
        "radiographs. Decision support, not a medical device.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_report(commands)
    _add_predict(commands)
    _add_kubeflow(commands)
    _add_serve(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="from a folder of films to a pushed model, on this machine",
        description="Runs the pipeline on this machine. Exit status: 0 a model was pushed, 3 the "
        "gate refused it, 2 bad input or configuration, 1 anything else.",
    )
    run.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with train, test and perhaps val, each with NORMAL and PNEUMONIA; with "
        "--config demo, generated films by default",
    )
    run.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder of the run; made if absent",
    )
    _add_config(run)
    run.add_argument("-v", "--verbose", action="store_true", help="show TFX's log on the screen")
    run.set_defaults(command=_run)


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        default="default",
        metavar="NAME|FILE",
        help="a preset (demo, quick, default, seed) or a YAML file",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, such as trainer.epochs=5; may be given again",
    )


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report",
        help="the report of a run again, or several runs side by side",
        description="Writes the report of a run folder again, without running anything; of "
        "several, a page that sets them side by side.",
    )
    report.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="folder given to cxr run --output"
    )
    report.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="page of several runs (default: comparison.html); one run's report lies in its folder",
    )
    report.set_defaults(command=_report)


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="what a pushed model says of films",
        description="Asks a model server, or a model's folder, for the probability of pneumonia. "
        "Exit status: 0 every film has an answer, 2 some have none, or bad input.",
    )
    predict.add_argument(
        "films", nargs="+", metavar="FILE", help="JPEG, PNG or DICOM; folders and patterns too"
    )
    where = predict.add_mutually_exclusive_group()
    where.add_argument(
        "--server",
        metavar="URL",
        help="of a model server: http://HOST:PORT[/v1/models/NAME] or grpc://HOST:PORT[/NAME] "
        f"(default: {DEFAULT_SERVER}); its bearer token is {TOKEN_VARIABLE} in the environment",
    )
    where.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="folder of a pushed model, to run it here without a server",
    )
    predict.add_argument("--csv", type=Path, metavar="FILE", help="write the answers there")
    predict.add_argument("--json", type=Path, metavar="FILE", help="write the answers there")
    predict.add_argument(
        "--concurrency", type=int, default=8, metavar="N", help="requests at once (default: 8)"
    )
    predict.set_defaults(command=_predict)


def _add_kubeflow(commands: Any) -> None:
    kubeflow = commands.add_parser("kubeflow", help="what a cluster needs")
    within = kubeflow.add_subparsers(required=True, metavar="COMMAND")
    _add_compile(within)
    _add_submit(within)
    _add_schedule(within)
    _add_serving(within)


def _add_compile(commands: Any) -> None:
    compile_ = commands.add_parser(
        "compile",
        help="the pipeline as a file for Kubeflow Pipelines",
        description="Writes the pipeline as Kubeflow Pipelines takes it. The configuration's "
        "section kubeflow names the image, the data set's volume and where models are pushed.",
    )
    compile_.add_argument(
        "--output", type=Path, metavar="FILE", required=True, help="such as pipeline.yaml"
    )
    _add_config(compile_)
    compile_.set_defaults(command=_compile)


def _add_submit(commands: Any) -> None:
    submit = commands.add_parser(
        "submit",
        help="run the pipeline on a cluster",
        description="Starts a run on a server of Kubeflow Pipelines and prints its id.",
    )
    _add_server(submit)
    submit.set_defaults(command=_submit)


def _add_schedule(commands: Any) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="run the pipeline on a cluster again and again",
        description="Starts a recurring run on a server of Kubeflow Pipelines, which runs one at a "
        "time, and prints its id.",
    )
    _add_server(schedule)
    schedule.add_argument(
        "--cron",
        required=True,
        metavar="WHEN",
        help='six fields, seconds first, such as "0 0 3 * * 1"',
    )
    schedule.set_defaults(command=_schedule)


def _add_server(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "pipeline",
        metavar="PIPELINE",
        help="a compiled file, or the name of a pipeline that the server has",
    )
    command.add_argument(
        "--host", required=True, metavar="URL", help="of the server of Kubeflow Pipelines"
    )
    command.add_argument(
        "--experiment",
        default=_EXPERIMENT,
        metavar="NAME",
        help=f"made if absent (default: {_EXPERIMENT})",
    )
    command.add_argument("--name", default=_EXPERIMENT, help=f"of the run (default: {_EXPERIMENT})")
    command.add_argument("--namespace", metavar="NAME", help="where the server has several users")


def _add_serving(commands: Any) -> None:
    serving = commands.add_parser(
        "serving",
        help="manifests that serve a pushed model by TensorFlow Serving and KServe",
        description="Writes the manifests that serve the model of a run: a compose file, and "
        "objects for Kubernetes and KServe. The newest version is the stable one.",
    )
    serving.add_argument("run", type=Path, metavar="RUN", help="folder given to cxr run --output")
    serving.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder of the manifests; made if absent",
    )
    serving.add_argument(
        "--canary",
        metavar="VERSION",
        help="try this version beside the stable one, which is then the newest of the others",
    )
    serving.add_argument(
        "--storage",
        metavar="URI",
        help="where a cluster has the model's folder of versions: pvc://CLAIM[/PATH], or s3:// or "
        "gs://BUCKET[/PATH] for KServe alone (default: a claim, which is among the manifests)",
    )
    serving.add_argument("--namespace", metavar="NAME", help="of the objects")
    serving.set_defaults(command=_serving)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="a model server: TensorFlow Serving's REST and gRPC, and a page",
        description="Serves a pushed model, and each newer version as it appears: by TensorFlow "
        "Serving where there is one, otherwise by a server of its own, which has a page too.",
    )
    serve.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder of a pushed model's versions; its name is the model's",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="to listen on (default: 127.0.0.1); another than this machine needs a token, "
        f"{TOKEN_VARIABLE} in the environment",
    )
    serve.add_argument(
        "--port", type=int, default=8501, metavar="N", help="of REST and the page (default: 8501)"
    )
    serve.add_argument(
        "--grpc-port", type=int, default=8500, metavar="N", help="of gRPC (default: 8500)"
    )
    serve.add_argument(
        "--backend",
        choices=("auto", "tf-serving", "docker", "embedded"),
        default="auto",
        help="tf-serving: tensorflow_model_server on the PATH; docker: its image; embedded: the "
        "server with the page; auto: the first that is there, and embedded where a token is "
        "asked for",
    )
    serve.set_defaults(command=_serve)


def _run(options: argparse.Namespace) -> int:
    from pipeline.config import load_config
    from pipeline.display import screen

    config = load_config(options.config, options.overrides).on_this_machine()
    if options.data is None and options.config != _DEMO:
        raise InputError(
            f"--data is missing: --config {options.config} needs a folder of films; only "
            f"--config {_DEMO} makes its own."
        )
    if options.data is not None and not options.data.is_dir():
        raise InputError(f"The data folder {options.data} does not exist or is no folder.")
    # Before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if options.verbose else "2")
    folder = RunFolder(options.output.resolve())
    with locked(folder), screen(folder.log, options.verbose) as console:
        try:
            return _run_here(config, options.data, folder, console)
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            console.print(f"Failed: {type(error).__name__}: {first}", soft_wrap=True, markup=False)
            console.print(f"The whole story is in {folder.log}", soft_wrap=True, markup=False)
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
            times = local.run_pipeline(
                config, str(data.resolve()), folder, display.start, display.end
            )
    except BadFilmsError as error:
        results.write_quarantine(folder, error.quarantine)
        raise
    metrics = results.conclude(config, folder, times)
    show_results(console, metrics, folder.report / "report.html")
    if metrics["pushed"]:
        return PUSHED
    return FAILED if metrics["blessed"] else REFUSED


def _report(options: argparse.Namespace) -> int:
    from components.reporter import store

    folders = [RunFolder(path.resolve()) for path in options.runs]
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            raise InputError(f"The run folder {folder.root} is given twice.")
    contents = [store.load(folder) for folder in folders]
    if len(folders) == 1:
        if options.output is not None:
            raise InputError(
                f"--output {options.output} is for several runs; the report of one is written to "
                f"{folders[0].report / REPORT_FILE}."
            )
        with locked(folders[0]):
            print(store.write_report(folders[0], contents[0]))
        return DONE
    from components.reporter.compare import compare

    path = options.output or Path(_COMPARISON)
    page = compare([folder.root for folder in folders], contents)
    try:
        replace(path, page)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    print(path.resolve())
    return DONE


def _predict(options: argparse.Namespace) -> int:
    # Before TensorFlow is imported, if it is.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from serving.client import command

    return DONE if command.run(options) else BAD_INPUT


def _compile(options: argparse.Namespace) -> int:
    # Before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from pipeline.runners.kubeflow import command

    command.compile_(options)
    return DONE


def _submit(options: argparse.Namespace) -> int:
    from pipeline.runners.kubeflow import command

    command.submit(options)
    return DONE


def _schedule(options: argparse.Namespace) -> int:
    from pipeline.runners.kubeflow import command

    command.schedule(options)
    return DONE


def _serving(options: argparse.Namespace) -> int:
    from serving.manifests import command

    command.run(options)
    return DONE


def _serve(options: argparse.Namespace) -> int:
    # Before TensorFlow is imported, which says much about graphics cards that are not there.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Of Google's libraries, about the version of Python.
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    from serving.server import command

    command.run(options, os.environ)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
