"""The ChestXrayExampleGen component."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts

from components.example_gen import executor
from components.example_gen.driver import Driver
from components.example_gen.settings import RunSettings


class ChestXrayExampleGenSpec(types.ComponentSpec):
    """What goes in and out of ChestXrayExampleGen."""

    PARAMETERS = {
        executor.DATA_KEY: component_spec.ExecutionParameter(type=str),
        executor.SETTINGS_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples)
    }


class ChestXrayExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests chest radiographs: a folder in the layout of the public set, or a table of films.

    Checks every file, cuts a patient-grouped eval split from train and val, undersamples train's
    majority class, and leaves test as it is; of a table without splits it cuts test likewise.

    ## Example
    ```
    example_gen = ChestXrayExampleGen(data="/data/chest_xray", settings=settings)
    ```

    Component `outputs` contains:
    - `examples`: Channel of type `standard_artifacts.Examples`, splits train, eval and test, the
      features of `components.shared.record`.
    """

    SPEC_CLASS = ChestXrayExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = Driver

    def __init__(self, data: str, settings: RunSettings) -> None:
        """Makes the component.

        Args:
            data: folder with `train`, `test` and perhaps `val`, each with NORMAL and PNEUMONIA; or
                a table, see `components.example_gen.layouts`.
            settings: how to split, balance and check.
        """
        examples = channel_utils.as_channel([standard_artifacts.Examples()])
        spec = ChestXrayExampleGenSpec(
            data=data, settings=settings.model_dump_json(), **{executor.EXAMPLES_KEY: examples}
        )
        super().__init__(spec=spec)
