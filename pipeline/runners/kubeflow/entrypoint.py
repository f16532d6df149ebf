"""The command of a pod of Kubeflow Pipelines: runs one node of the pipeline.

Kubeflow's launcher has the inputs' files here before, and takes the outputs' files away after.
"""

import argparse
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

from components.shared.errors import InputError
from components.shared.exit_codes import BAD_INPUT, DONE, FAILED, REFUSED
from components.shared.files import replace
from pipeline import places
from pipeline.runners.beam import check_endpoint
from pipeline.runners.kubeflow import executor_input
from pipeline.runners.kubeflow.bucket import Versions, send_folder


def main(arguments: Sequence[str] | None = None, root: str = "/") -> int:
    """Runs a node and returns the exit status.

    Args:
        arguments: of the command line, as the compiled pipeline has them.
        root: of the pod's files.

    Returns:
        0 the node is done; 1 something failed; 2 bad data or a bad setting; 3 the model was
        refused, and the run is to fail then.
    """
    options, beam_args = _parser().parse_known_args(arguments)
    name = options.executor_class_path
    print(f"Runs {name}.", flush=True)
    try:
        refusal = _run(options, beam_args, root)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"{name} failed: {type(error).__name__}: {first}", file=sys.stderr)
        return FAILED
    if refusal:
        print(f"Nothing is pushed: {refusal}.", file=sys.stderr)
        return REFUSED if options.on_refusal == "fail" else DONE
    print(f"{name} is done.")
    return DONE


def _parser() -> argparse.ArgumentParser:
    # An abbreviation might be one of Beam's arguments, which are the rest.
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--on_refusal", choices=("succeed", "fail"), default="succeed")
    parser.add_argument("--reports", help="folder, or a bucket's address, that a report goes to")
    parser.add_argument("--executor_class_path", required=True)
    for name in ("invocation", "inputs_spec", "outputs_spec"):
        parser.add_argument(f"--json_serialized_{name}_args", type=json.loads, required=True)
    return parser


def _run(options: argparse.Namespace, beam_args: list[str], root: str) -> str | None:
    """Runs the node; returns why nothing is pushed, where that is so."""
    check_endpoint(beam_args)
    told = options.json_serialized_invocation_args
    inputs_spec = options.json_serialized_inputs_spec_args
    local = executor_input.to_tfx(
        told, inputs_spec, options.json_serialized_outputs_spec_args, root
    )
    # On an object store folders need not be made, so nodes leave that to the runner.
    for artifact in executor_input.artifacts_of(local["outputs"]):
        os.makedirs(artifact["uri"], exist_ok=True)
    destination = executor_input.push_destination(told)
    versions = None
    if destination:
        versions = Versions(destination, Path(places.to_local(destination, root)))
        _fetch(versions, told, local)
    kubeflow_v2_run_executor.main(
        (
            argparse.Namespace(
                executor_class_path=options.executor_class_path,
                json_serialized_invocation_args=json.dumps(local),
                json_serialized_inputs_spec_args=json.dumps(inputs_spec),
            ),
            beam_args,
        )
    )
    output = Path(told["outputs"]["outputFile"])
    made = json.loads(output.read_text("utf-8"))
    if versions and (version := _pushed_version(made)):
        versions.push(version, _pusher(told))
        print(f"Pushed {destination}/{version}.", flush=True)
    if options.reports:
        report = Path(local["outputs"]["artifacts"][executor_input.REPORT]["artifacts"][0]["uri"])
        place = f"{options.reports}/{executor_input.report_name(told)}"
        _leave(report, place)
        print(f"Report: {place}/report.html", flush=True)  # before what goes to the other stream
    replace(output, json.dumps(executor_input.from_tfx(made, root)))
    return executor_input.refusal(told, made)


def _leave(report: Path, place: str) -> None:
    """Leaves a report where people find it, which the launcher's folder is not.

    A run that is to fail for its refusal has no other: of a node that fails nothing is kept.
    """
    if places.is_remote(place):
        send_folder(place, report)
        return
    # It draws figures too; the other nodes need not wait for what that takes to import.
    from components.reporter import store

    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        store.copy(report, Path(place))
    except OSError as error:
        raise InputError(f"The report cannot be written to {place}: {error.strerror}.") from error


def _fetch(versions: Versions, told: executor_input.Message, local: executor_input.Message) -> None:
    """Brings what the node reads at the push destination."""
    if executor_input.PUSHED_MODEL in local["outputs"]["artifacts"]:
        versions.discard_half(_pusher(told))
        versions.fetch_numbers()
        return
    model = local["inputs"]["artifacts"][executor_input.MODEL]["artifacts"][0]
    versions.fetch_champion(model["uri"])


def _pusher(told: executor_input.Message) -> str:
    """Returns a name for this Pusher of this run, the same when its pod is started again."""
    uri = told["outputs"]["artifacts"][executor_input.PUSHED_MODEL]["artifacts"][0]["uri"]
    return hashlib.sha256(uri.encode()).hexdigest()[:16]


def _pushed_version(made: executor_input.Message) -> str | None:
    pushed: Any = made.get("artifacts", {}).get(executor_input.PUSHED_MODEL)
    if pushed is None:
        return None
    version: str | None = pushed["artifacts"][0].get("metadata", {}).get("pushed_version")
    return version


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # What the node made is written. TensorFlow's threads may abort a process that ends in order,
    # and the launcher would take that for the node's failure.
    os._exit(status)
