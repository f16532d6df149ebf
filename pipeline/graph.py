"""The graph: the one description of the pipeline, the same on every runner."""

import os

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, transform_pb2
from tfx.v1.components import ExampleValidator, StatisticsGen

from components.evaluator.component import YoudenEvaluator
from components.evaluator.settings import RunSettings as EvaluatorSettings
from components.example_gen.component import ChestXrayExampleGen
from components.example_gen.settings import RunSettings as ExampleGenSettings
from components.example_validator.component import CuratedSchemaGen, StoppingExampleValidator
from components.pusher.component import WholeVersionPusher
from components.reporter.component import Reporter
from components.serving_check.component import ServingCheck
from components.shared.features import EVAL, TRAIN
from components.shared.nodes import EXAMPLE_VALIDATOR, PUSHER, SCHEMA_GEN, TRAINER, TRANSFORM
from components.shared.run_folder import PATIENT_KEY_FILE
from components.trainer.component import BackboneTrainer
from components.trainer.settings import RunSettings as TrainerSettings
from components.transform.component import ProjectTransform
from pipeline.config import Config
from pipeline.runners.beam import beam_args

NAME = "chest-xray-pneumonia"
# Code that nodes import by name, so that it need not travel with the pipeline.
PREPROCESSING_FN = "components.transform.preprocessing.preprocessing_fn"
RUN_FN = "components.trainer.run_fn.run_fn"
# Where the packages are installed, which is not the same place on every machine.
SCHEMA_FILE = "components/example_validator/schema.pbtxt"


def create_pipeline(
    config: Config,
    data: str,
    pipeline_root: str,
    push_destination: str,
    metadata_connection: metadata_store_pb2.ConnectionConfig | None = None,
    key_file: str | None = None,
) -> Pipeline:
    """Builds the pipeline; reads and writes nothing.

    Args:
        config: what to do.
        data: the data set's folder or table, as the first node sees it.
        pipeline_root: where the nodes' artifacts go.
        push_destination: the folder of versions that a model server watches.
        metadata_connection: of MLMD, for runners that keep it themselves.
        key_file: where the run keeps a patient key of its own; None: under the pipeline's root.

    Returns:
        The graph from films to a pushed model and the report.
    """
    key_file = key_file or os.path.join(pipeline_root, PATIENT_KEY_FILE)
    example_gen = ChestXrayExampleGen(data, example_gen_settings(config, key_file))
    schema_gen = CuratedSchemaGen(schema_file=SCHEMA_FILE).with_id(SCHEMA_GEN)
    # The schema tells the statistics that `image` is no word to count.
    statistics_gen = StatisticsGen(
        examples=example_gen.outputs["examples"], schema=schema_gen.outputs["schema"]
    )
    stop = config.example_validator.stop_on_anomalies
    validator = (StoppingExampleValidator if stop else ExampleValidator)(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    ).with_id(EXAMPLE_VALIDATOR)
    transform = ProjectTransform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn=PREPROCESSING_FN,
        custom_config={
            **config.transform.model_dump(),
            "limits": config.example_gen.alone().model_dump(),
        },
        # What the Trainer reads; the evaluator takes test as it came.
        splits_config=transform_pb2.SplitsConfig(analyze=[TRAIN], transform=[TRAIN, EVAL]),
        # Statistics of PNG bytes tell nothing.
        disable_statistics=True,
    ).with_id(TRANSFORM)
    # Nothing passes from one to the other, but data that are refused are not to be transformed.
    transform.add_upstream_node(validator)
    trainer = BackboneTrainer(
        run_fn=RUN_FN,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        custom_config=trainer_settings(config, pipeline_root).model_dump(),
    ).with_id(TRAINER)
    evaluator = YoudenEvaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        settings=evaluator_settings(config),
        push_destination=push_destination,
    )
    serving_check = ServingCheck(
        examples=example_gen.outputs["examples"],
        model=evaluator.outputs["calibrated_model"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
    )
    # The model comes with the infrastructure's blessing: the one with warm-up requests inside.
    pusher = WholeVersionPusher(
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["infra_blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_destination)
        ),
    ).with_id(PUSHER)
    reporter = Reporter(
        examples=example_gen.outputs["examples"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["infra_blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        config=config.model_dump_json(),
    )
    return Pipeline(
        pipeline_name=NAME,
        pipeline_root=pipeline_root,
        components=[
            example_gen,
            schema_gen,
            statistics_gen,
            validator,
            transform,
            trainer,
            evaluator,
            serving_check,
            pusher,
            reporter,
        ],
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=beam_args(config.beam),
    )


def example_gen_settings(config: Config, key_file: str | None = None) -> ExampleGenSettings:
    """Returns the settings of ChestXrayExampleGen, which names the file of the run's patient key.

    What is in that file is no setting: these are kept in ML Metadata.
    """
    return ExampleGenSettings(
        **config.example_gen.model_dump(), seed=config.seed, key_file=key_file
    )


def evaluator_settings(config: Config) -> EvaluatorSettings:
    """Returns the settings of YoudenEvaluator."""
    return EvaluatorSettings(
        **config.evaluator.model_dump(), seed=config.seed, limits=config.example_gen.alone()
    )


def trainer_settings(config: Config, pipeline_root: str) -> TrainerSettings:
    """Returns the settings of the Trainer, whose checkpoints lie under the pipeline's root."""
    return TrainerSettings(
        **config.trainer.model_dump(),
        input_size=config.transform.input_size,
        seed=config.seed,
        work_dir=os.path.join(pipeline_root, TRAINER, "unfinished"),
    )
