"""ExampleValidator that stops the run on severe anomalies."""

from tfx.components import ExampleValidator
from tfx.dsl.components.base import executor_spec

from components.example_validator import executor


class StoppingExampleValidator(ExampleValidator):
    """The stock ExampleValidator, failing where the data break the schema severely.

    Component `outputs` contains:
    - `anomalies`: Channel of type `standard_artifacts.ExampleAnomalies`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.StoppingExecutor)
