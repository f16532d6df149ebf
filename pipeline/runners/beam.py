"""Beam's arguments, from the configuration, and what its runners ask of this process."""

import os
import socket
import sys
from collections.abc import Sequence

from components.shared.errors import InputError
from pipeline.settings.beam import BeamConfig

# The runner is named: DirectRunner stands for another one in later releases of Beam.
_RUNNERS = {
    "local": "FnApiRunner",
    "portable": "PortableRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}
# What of a cluster's runner is told by `beam.endpoint`.
_ENDPOINTS = {"portable": "job_endpoint", "flink": "flink_master", "spark": "spark_master_url"}
# Beam's own job service counts the whole job to what it may take to answer, 60 seconds by default.
_WEEK = 7 * 24 * 3600
_JOB_ENDPOINT = "--job_endpoint="
_SECONDS_TO_ANSWER = 10


def beam_args(config: BeamConfig) -> list[str]:
    """Returns Beam's arguments.

    Raises:
        InputError: a setting that the runner needs is not given.
    """
    runner = f"--runner={_RUNNERS[config.runner]}"
    if config.runner == "local":
        return [runner, *_local(config)]
    if config.runner == "dataflow":
        return [runner, *_dataflow(config)]
    arguments = [runner, f"--{_ENDPOINTS[config.runner]}={_given(config, 'endpoint')}"]
    if config.runner == "portable":
        arguments.append(f"--job_server_timeout={_WEEK}")
        if config.artifact_endpoint:
            arguments.append(f"--artifact_endpoint={config.artifact_endpoint}")
    if config.runner != "spark":
        # Flink's; Beam's own job service leaves it alone.
        arguments.append(f"--parallelism={config.workers}")
    return [*arguments, *_environment(config)]


def check_endpoint(arguments: Sequence[str]) -> None:
    """Fails at once, not after a week, where nobody listens at the job service's address.

    Args:
        arguments: Beam's; without a job service there is nothing to check.

    Raises:
        InputError: the address is none, or nobody listens there.
    """
    for argument in arguments:
        if argument.startswith(_JOB_ENDPOINT):
            _check_address(argument.removeprefix(_JOB_ENDPOINT))


def _check_address(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"The setting beam.endpoint is {endpoint!r}: it should be HOST:PORT.")
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"The setting beam.endpoint is {endpoint!r}: no job service listens there ({error})."
        ) from error


def put_python_first() -> None:
    """Has `python`, the name by which Beam starts workers beside a node, mean this one."""
    folder = os.path.dirname(sys.executable)
    others = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([folder, *(path for path in others if path != folder)])


def _local(config: BeamConfig) -> list[str]:
    if config.workers == 1:
        return [_image("none"), "--direct_running_mode=in_memory"]
    return [
        _image("none"),
        "--direct_running_mode=multi_processing",
        f"--direct_num_workers={config.workers}",
    ]


def _environment(config: BeamConfig) -> list[str]:
    """Returns where the workers of a portable runner are."""
    kind = f"--environment_type={config.environment.upper()}"
    if config.environment == "docker":
        return [kind, _image(_given(config, "image"))]
    if config.environment == "external":
        return [kind, f"--environment_config={_given(config, 'pool')}", _image("none")]
    return [
        kind,
        # Threads of one process would wait for one another.
        "--experiments=use_loopback_process_worker=True",
        # Elsewhere it is the processes of each machine, and one each is what fits any.
        f"--sdk_worker_parallelism={config.workers}",
        _image("none"),
    ]


def _dataflow(config: BeamConfig) -> list[str]:
    return [
        *(f"--{name}={_given(config, name)}" for name in ("project", "region", "temp_location")),
        _image(_given(config, "image")),
        f"--num_workers={config.workers}",
    ]


def _image(name: str) -> str:
    # Where no container is started too, the name tells TFX that the workers have its code, which
    # it would otherwise pack up anew for every node.
    return f"--sdk_container_image={name}"


def _given(config: BeamConfig, name: str) -> str:
    value: str | None = getattr(config, name)
    if value is None:
        raise InputError(
            f"The setting beam.{name} is null: beam.runner {config.runner} needs it, which is "
            f"{BeamConfig.model_fields[name].description}."
        )
    return value
