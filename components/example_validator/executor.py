"""ExampleValidator's executor that does not let severe anomalies pass."""

from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as stock_executor
from tfx.types import artifact_utils, standard_component_specs

from components.errors import InputError


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
