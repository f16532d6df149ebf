"""What the nodes' own drivers share, on runners that cache by MLMD."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.shared.code_version import code_key

CODE_KEY = "code_version"


class PropertiesDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds properties to an execution before its cache key is made.

    So the code of the node's room, which TFX does not see, and the state of what lies outside the
    pipeline (files, pushed versions) count in the key. Each room has a class of its own, by whose
    place its code is found.
    """

    def __init__(self, metadata_handle: Any) -> None:
        """Takes MLMD's handle, which is closed but within a `with` block."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)
        self.metadata_handle = metadata_handle

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, Any]:
        """Returns the properties to add to the code's version."""
        return {}

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution's properties and the added ones."""
        properties = {
            **execution_info.exec_properties,
            CODE_KEY: code_key(type(self).__module__.split(".")[1]),
            **self.extra_properties(execution_info),
        }
        result = driver_output_pb2.DriverOutput()
        for name, value in properties.items():
            if value is not None:
                data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result
