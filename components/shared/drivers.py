"""What the nodes' own drivers share, on runners that cache by MLMD."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2


class PropertiesDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds properties to an execution before its cache key is made.

    So the state of what lies outside the pipeline (files, pushed versions) counts in the key.
    """

    def __init__(self, metadata_handle: object) -> None:
        """Takes the handle that TFX gives to drivers; it is not used."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, Any]:
        """Returns the properties to add."""
        raise NotImplementedError

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution's properties and the added ones."""
        properties = {
            **execution_info.exec_properties,
            **self.extra_properties(execution_info),
        }
        result = driver_output_pb2.DriverOutput()
        for name, value in properties.items():
            if value is not None:
                data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result
