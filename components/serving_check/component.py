"""The ServingCheck component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts

from components.serving_check import executor
from components.shared.drivers import PropertiesDriver


class Driver(PropertiesDriver):
    """Adds the code of the executor."""


class ServingCheckSpec(types.ComponentSpec):
    """What goes in and out of ServingCheck."""

    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        executor.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        executor.MODEL_BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
    }
    OUTPUTS = {
        executor.INFRA_BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.InfraBlessing
        )
    }


class ServingCheck(base_component.BaseComponent):
    """Loads a blessed model where there is only TensorFlow, and compares its answers.

    The stock InfraValidator does this in a container; where no container engine is, and on
    Kubeflow Pipelines, it cannot run.

    ## Example
    ```
    serving_check = ServingCheck(
        examples=example_gen.outputs["examples"],
        model=evaluator.outputs["calibrated_model"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
    )
    ```

    Component `outputs` contains:
    - `infra_blessing`: Channel of type `standard_artifacts.InfraBlessing`, which holds the model
      with its warm-up requests, for Pusher.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        model_blessing: types.BaseChannel,
    ) -> None:
        """Makes the component; see the class for what each channel comes from."""
        spec = ServingCheckSpec(
            examples=examples,
            model=model,
            evaluation=evaluation,
            model_blessing=model_blessing,
            infra_blessing=channel_utils.as_channel([standard_artifacts.InfraBlessing()]),
        )
        super().__init__(spec=spec)
