"""The curated schema, and ExampleValidator that stops the run on severe anomalies."""

import hashlib
from collections.abc import Mapping

import tensorflow as tf
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.portable import data_types
from tfx.v1.components import ExampleValidator, ImportSchemaGen

from components.example_validator import executor
from components.shared.drivers import PropertiesDriver


class SchemaDriver(PropertiesDriver):
    """Adds a hash of the schema's file, whose path alone would hide that it was edited."""

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns the hash."""
        path = executor.schema_path(execution_info.exec_properties["schema_file"])
        with tf.io.gfile.GFile(path, "rb") as file:
            return {"schema_sha256": hashlib.sha256(file.read()).hexdigest()}


class CuratedSchemaGen(ImportSchemaGen):
    """The stock ImportSchemaGen, which runs again when the schema's file has changed.

    `schema_file` may be relative to the folder in which the project's packages are installed.

    Component `outputs` contains:
    - `schema`: Channel of type `standard_artifacts.Schema`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.SchemaExecutor)
    DRIVER_CLASS = SchemaDriver


class Driver(PropertiesDriver):
    """Adds the code of the executor."""


class StoppingExampleValidator(ExampleValidator):
    """The stock ExampleValidator, failing where the data break the schema severely.

    Component `outputs` contains:
    - `anomalies`: Channel of type `standard_artifacts.ExampleAnomalies`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.StoppingExecutor)
    DRIVER_CLASS = Driver
