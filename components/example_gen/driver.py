"""ChestXrayExampleGen's driver: same files, same Examples; one changed file, new ones."""

from collections.abc import Mapping

from tfx.orchestration.portable import data_types

from components.example_gen import executor, source
from components.example_gen.settings import RunSettings
from components.shared.artifacts import FINGERPRINT_KEY
from components.shared.drivers import PropertiesDriver


class Driver(PropertiesDriver):
    """Adds a fingerprint of the data set's files to the execution's properties.

    TFX's own counts modification times in whole seconds and so misses a quick change.
    """

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns the fingerprint; raises InputError where the films are not there."""
        data = execution_info.exec_properties[executor.DATA_KEY]
        settings = execution_info.exec_properties[executor.SETTINGS_KEY]
        found = source.fingerprint(data, RunSettings.model_validate_json(settings))
        return {FINGERPRINT_KEY: found}
