"""The Reporter component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts

from components.reporter import executor
from components.reporter.driver import Driver


class ReporterSpec(types.ComponentSpec):
    """What goes in and out of Reporter."""

    PARAMETERS = {executor.CONFIG_KEY: component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_RUN_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        executor.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        executor.MODEL_BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
        executor.INFRA_BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.InfraBlessing
        ),
        executor.PUSHED_MODEL_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.PushedModel
        ),
    }
    # A type of its own would have no name that Kubeflow Pipelines takes and TFX finds again there.
    OUTPUTS = {
        executor.REPORT_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        )
    }


class Reporter(base_component.BaseComponent):
    """Writes the report of a run, whether its model was pushed or refused.

    ## Example
    ```
    reporter = Reporter(
        examples=example_gen.outputs["examples"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["infra_blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        config=config.model_dump_json(),
    )
    ```

    Component `outputs` contains:
    - `report`: Channel of type `standard_artifacts.ModelEvaluation`: `report.html`, `metrics.json`,
      and what the page can be made of again.
    """

    SPEC_CLASS = ReporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        pushed_model: types.BaseChannel,
        config: str,
    ) -> None:
        """Makes the component.

        Args:
            examples: the raw Examples.
            model_run: the Trainer's logs.
            evaluation: of the trained model.
            model_blessing: by the gate.
            infra_blessing: by the check of its serving.
            pushed_model: what Pusher did; it comes before the report, whatever it did.
            config: the JSON of the resolved configuration.
        """
        spec = ReporterSpec(
            examples=examples,
            model_run=model_run,
            evaluation=evaluation,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            pushed_model=pushed_model,
            config=config,
            report=channel_utils.as_channel([standard_artifacts.ModelEvaluation()]),
        )
        super().__init__(spec=spec)
