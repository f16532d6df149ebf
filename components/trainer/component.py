"""The Trainer that notices new weights under an old name."""

import json
from collections.abc import Mapping

from tfx.orchestration.portable import data_types
from tfx.v1.components import Trainer

from components.shared.drivers import PropertiesDriver
from components.trainer.backbone import file_state


class BackboneDriver(PropertiesDriver):
    """Adds the state of the backbone's file, where it is one, to the execution's properties."""

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns the file's state."""
        backbone = json.loads(execution_info.exec_properties["custom_config"])["backbone"]
        state = file_state(backbone)
        return {} if state is None else {"backbone_state": state}


class BackboneTrainer(Trainer):
    """The stock Trainer, which trains again when the backbone's file has changed.

    Component `outputs` contains:
    - `model`: Channel of type `standard_artifacts.Model`.
    - `model_run`: Channel of type `standard_artifacts.ModelRun`: learning curves and logs.
    """

    DRIVER_CLASS = BackboneDriver
