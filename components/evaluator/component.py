"""The YoudenEvaluator component."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts

from components.evaluator import executor
from components.evaluator.driver import Driver
from components.evaluator.settings import RunSettings


class YoudenEvaluatorSpec(types.ComponentSpec):
    """What goes in and out of YoudenEvaluator."""

    PARAMETERS = {
        executor.SETTINGS_KEY: component_spec.ExecutionParameter(type=str),
        executor.DESTINATION_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {
        executor.CALIBRATED_MODEL_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Model
        ),
        executor.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        executor.BLESSING_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
    }


class YoudenEvaluator(base_beam_component.BaseBeamComponent):
    """Finds Youden's threshold on eval, measures on test, and blesses what passes the gate.

    ## Example
    ```
    evaluator = YoudenEvaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        settings=settings,
        push_destination="/models/pneumonia",
    )
    ```

    Component `outputs` contains:
    - `calibrated_model`: Channel of type `standard_artifacts.Model`, the threshold inside.
    - `evaluation`: Channel of type `standard_artifacts.ModelEvaluation`, TFMA's files beside
      `result.json`, `predictions.csv` and pictures of misread films.
    - `blessing`: Channel of type `standard_artifacts.ModelBlessing`, which Pusher obeys.
    """

    SPEC_CLASS = YoudenEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        settings: RunSettings,
        push_destination: str,
    ) -> None:
        """Makes the component.

        Args:
            examples: the raw Examples, with the splits train, eval and test.
            model: the trained model.
            settings: bounds of the gate, tolerance to the champion, bootstrap.
            push_destination: the folder of versions that a server watches.
        """
        spec = YoudenEvaluatorSpec(
            settings=settings.model_dump_json(),
            push_destination=push_destination,
            examples=examples,
            model=model,
            calibrated_model=channel_utils.as_channel([standard_artifacts.Model()]),
            evaluation=channel_utils.as_channel([standard_artifacts.ModelEvaluation()]),
            blessing=channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
        )
        super().__init__(spec=spec)
