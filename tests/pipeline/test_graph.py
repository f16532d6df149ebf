"""What the graph hands to its nodes."""

from pathlib import Path

from tfx.proto import transform_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.evaluator.executor import write_limits
from components.evaluator.settings import RunSettings
from components.example_gen.settings import Settings
from components.shared.limits import FilmLimits, limits_of
from pipeline.config import Config
from pipeline.graph import (
    create_pipeline,
    evaluator_settings,
    example_gen_settings,
    trainer_settings,
)


def test_every_node_that_draws_has_the_seed_of_the_run() -> None:
    config = Config(seed=17)
    seeds = [
        example_gen_settings(config).seed,
        trainer_settings(config, "root").seed,
        evaluator_settings(config).seed,
    ]
    assert seeds == [17, 17, 17]


def test_transform_writes_what_the_trainer_reads() -> None:
    pipeline = create_pipeline(Config(), "data", "root", "push")
    (transform,) = (node for node in pipeline.components if node.id == "Transform")
    text = transform.exec_properties[standard_component_specs.SPLITS_CONFIG_KEY]
    found = transform_pb2.SplitsConfig()
    proto_utils.json_to_proto(text, found)
    assert list(found.analyze) == ["train"]
    assert list(found.transform) == ["train", "eval"]


def test_the_limits_of_a_runs_films_travel_with_its_model(tmp_path: Path) -> None:
    config = Config(example_gen=Settings(max_pixels=7, min_side=2, max_bad_fraction=0.5))
    # The evaluator gets its settings as JSON.
    told = RunSettings.model_validate_json(evaluator_settings(config).model_dump_json())
    write_limits(str(tmp_path), told.limits)
    assert limits_of(tmp_path) == FilmLimits(max_pixels=7, min_side=2)


def test_a_model_that_does_not_say_has_the_defaults(tmp_path: Path) -> None:
    assert limits_of(tmp_path) == FilmLimits()
