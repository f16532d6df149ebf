"""What the graph hands to its nodes."""

from tfx.proto import transform_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

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
