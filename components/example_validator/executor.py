"""The curated schema's executor, and ExampleValidator's that lets no severe anomaly pass."""

import os
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as stock_executor
from tfx.components.schema_gen.import_schema_gen import executor as import_executor
from tfx.types import artifact_utils, standard_component_specs

import components
from components.shared.errors import InputError


def schema_path(schema_file: str) -> str:
    """Returns where a schema's file is; a relative one is where the packages are installed."""
    return os.path.join(os.path.dirname(os.path.dirname(components.__file__)), schema_file)


class SchemaExecutor(import_executor.Executor):
    """The stock executor of ImportSchemaGen, for a file beside the installed code."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the schema; see `schema_path` for which, and the stock executor for the rest."""
        key = standard_component_specs.SCHEMA_FILE_KEY
        path = schema_path(exec_properties[key])
        super().Do(input_dict, output_dict, {**exec_properties, key: path})


def describe_severe(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Returns one line for each anomaly of severity ERROR: the feature and what is wrong."""
    error = anomalies_pb2.AnomalyInfo.ERROR
    lines = [
        f"{feature}: {info.description}"
        for feature, info in sorted(anomalies.anomaly_info.items())
        if info.severity == error
    ]
    if anomalies.dataset_anomaly_info.severity == error:
        lines.append(anomalies.dataset_anomaly_info.description)
    return lines


class StoppingExecutor(stock_executor.Executor):
    """The stock executor, which then fails where an anomaly is severe."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Validates, and raises InputError with the anomalies' texts if any is severe.

        Args:
            input_dict: `statistics` and `schema`.
            output_dict: `anomalies`.
            exec_properties: the stock component's.
        """
        super().Do(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.ANOMALIES_KEY]
        )
        found = []
        for split in artifact_utils.decode_split_names(artifact.split_names):
            path = artifact_utils.get_split_uri([artifact], split)
            with tf.io.gfile.GFile(f"{path}/SchemaDiff.pb", "rb") as file:
                anomalies = anomalies_pb2.Anomalies.FromString(file.read())
            found += [f"split {split}, {line}" for line in describe_severe(anomalies)]
        if found:
            raise InputError(f"The data set is not what the schema expects: {' | '.join(found)}")
