"""Gives the state of input files to the cache key of a node on runners that cache by MLMD."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.example_gen import executor, files

FINGERPRINT_KEY = "input_fingerprint"


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds a fingerprint of the data set's files to the execution's properties.

    TFX's own counts modification times in whole seconds and so misses a quick change.
    """

    def __init__(self, metadata_handle: object) -> None:
        """Takes the handle that TFX gives to drivers; it is not used."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution's properties with the fingerprint.

        Raises:
            InputError: the data set's folders are not there.
        """
        result = driver_output_pb2.DriverOutput()
        properties = dict(execution_info.exec_properties)
        properties[FINGERPRINT_KEY] = files.fingerprint(properties[executor.DATA_KEY])
        for name, value in properties.items():
            data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result
