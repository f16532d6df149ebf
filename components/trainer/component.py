"""The Trainer that notices new weights under an old name."""

import json
import os
from collections.abc import Mapping

from tfx.orchestration.portable import data_types
from tfx.v1.components import Trainer

from components.drivers import PropertiesDriver


class BackboneDriver(PropertiesDriver):
    """Adds the state of the backbone's file, where it is one, to the execution's properties."""

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns size and modification time (ns) of the file."""
        backbone = json.loads(execution_info.exec_properties["custom_config"])["backbone"]
        if not os.path.isfile(backbone):
            return {}
        stat = os.stat(backbone)
        return {"backbone_state": f"{stat.st_size}/{stat.st_mtime_ns}"}


class BackboneTrainer(Trainer):
    """The stock Trainer, which trains again when the backbone's file has changed.

    Component `outputs` contains:
    - `model`: Channel of type `standard_artifacts.Model`.
    - `model_run`: Channel of type `standard_artifacts.ModelRun`: learning curves and logs.
    """

    DRIVER_CLASS = BackboneDriver
