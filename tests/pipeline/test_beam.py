"""Beam's arguments, each runner's to the letter, and what Beam itself makes of them."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.errors import InputError
from pipeline.beam import beam_args
from pipeline.config import load_config


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
        "--runner=PortableRunner --job_endpoint=localhost:8099 --environment_type=LOOPBACK "
        "--experiments=use_loopback_process_worker=True --sdk_container_image=none "
        "--sdk_worker_parallelism=2",
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
        "--sdk_container_image=none --sdk_worker_parallelism=8",
    ),
    (
        ["runner=spark", "endpoint=spark://m:7077", "environment=docker", "image=cxr:1"],
        "--runner=SparkRunner --spark_master_url=spark://m:7077 --environment_type=DOCKER "
        "--sdk_container_image=cxr:1 --sdk_worker_parallelism=1",
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
