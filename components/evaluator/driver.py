"""YoudenEvaluator's driver: another champion is another evaluation."""

from collections.abc import Mapping

from tfx.orchestration.portable import data_types

from components.evaluator import champion, executor
from components.shared.drivers import PropertiesDriver


class Driver(PropertiesDriver):
    """Adds the champion's version to the execution's properties."""

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns the version in the push destination that the model is to be compared with."""
        return {
            executor.CHAMPION_KEY: champion.find_champion(
                execution_info.exec_properties[executor.DESTINATION_KEY],
                execution_info.input_dict[executor.MODEL_KEY][0].uri,
            )
        }
