"""Beam's arguments, each runner's to the letter, and what Beam itself makes of them."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.shared.errors import InputError
from pipeline.config import load_config
from pipeline.runners.beam import beam_args, check_endpoint, put_python_first
from support.ports import free_ports


def args(*settings: str) -> list[str]:
    return beam_args(load_config("seed", [f"beam.{setting}" for setting in settings]).beam)


GOLDEN = [
    ([], "--runner=FnApiRunner --sdk_container_image=none --direct_running_mode=in_memory"),
    (
        ["workers=4"],
        "--runner=FnApiRunner --sdk_container_image=none --direct_running_mode=multi_processing "
        "--direct_num_workers=4",
    ),
    (
        ["runner=portable", "endpoint=localhost:8099", "workers=2"],
        "--runner=PortableRunner --job_endpoint=localhost:8099 --job_server_timeout=604800 "
        "--parallelism=2 --environment_type=LOOPBACK "
        "--experiments=use_loopback_process_worker=True --sdk_worker_parallelism=2 "
        "--sdk_container_image=none",
    ),
    (
        [
            "runner=portable",
            "endpoint=jobs:8099",
            "artifact_endpoint=jobs:8098",
            "environment=external",
            "pool=localhost:50000",
            "workers=4",
        ],
        "--runner=PortableRunner --job_endpoint=jobs:8099 --job_server_timeout=604800 "
        "--artifact_endpoint=jobs:8098 --parallelism=4 --environment_type=EXTERNAL "
        "--environment_config=localhost:50000 --sdk_container_image=none",
    ),
    (
        [
            "runner=flink",
            "endpoint=flink:8081",
            "environment=external",
            "pool=localhost:50000",
            "workers=8",
        ],
        "--runner=FlinkRunner --flink_master=flink:8081 --parallelism=8 "
        "--environment_type=EXTERNAL --environment_config=localhost:50000 "
        "--sdk_container_image=none",
    ),
    (
        ["runner=spark", "endpoint=spark://m:7077", "environment=docker", "image=cxr:1"],
        "--runner=SparkRunner --spark_master_url=spark://m:7077 --environment_type=DOCKER "
        "--sdk_container_image=cxr:1",
    ),
    (
        [
            "runner=dataflow",
            "project=p",
            "region=europe-west1",
            "temp_location=gs://b/tmp",
            "image=cxr:1",
            "workers=3",
        ],
        "--runner=DataflowRunner --project=p --region=europe-west1 --temp_location=gs://b/tmp "
        "--sdk_container_image=cxr:1 --num_workers=3",
    ),
]


@pytest.mark.parametrize(("settings", "expected"), GOLDEN)
def test_to_the_letter(settings: list[str], expected: str) -> None:
    assert args(*settings) == expected.split()


def test_beam_knows_every_argument() -> None:
    for settings, _ in GOLDEN:
        known = PipelineOptions(args(*settings)).get_all_options(retain_unknown_options=False)
        names = {argument.partition("=")[0].removeprefix("--") for argument in args(*settings)}
        assert names <= set(known)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (["runner=portable"], "endpoint"),
        (["runner=flink", "endpoint=f:1", "environment=external"], "pool"),
        (["runner=spark", "endpoint=spark://m:7077", "environment=docker"], "image"),
        (["runner=dataflow"], "project"),
    ],
)
def test_a_setting_that_the_runner_needs(settings: list[str], name: str) -> None:
    with pytest.raises(InputError, match=f"^The setting beam.{name} is null: beam.runner "):
        args(*settings)


def test_workers_beside_a_node_are_of_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "python"
    other.touch(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    assert shutil.which("python") == str(other)
    for _ in range(2):
        put_python_first()
    found = shutil.which("python")
    assert found is not None
    assert Path(found).parent == Path(sys.executable).parent
    assert os.environ["PATH"].split(os.pathsep)[1] == str(tmp_path)


def test_somebody_must_listen_at_the_endpoint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check_endpoint(args("runner=portable", f"endpoint=127.0.0.1:{port}"))
    (port,) = free_ports(1)
    for endpoint, problem in (
        (f"127.0.0.1:{port}", "no job service listens there .*refused"),
        ("127.0.0.1:99999", "no job service listens there"),
        ("flink", "it should be HOST:PORT"),
        (":8099", "it should be HOST:PORT"),
    ):
        with pytest.raises(
            InputError, match=f"^The setting beam.endpoint is '{endpoint}': {problem}"
        ):
            check_endpoint(args("runner=portable", f"endpoint={endpoint}"))
    # Where it is no job service's address, it is somebody else's to check.
    check_endpoint(args("runner=flink", f"endpoint=127.0.0.1:{port}"))
