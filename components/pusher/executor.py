"""Pusher's executor that moves a finished version into place."""

import os
import time
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as stock_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.shared.features import VERSION_FILE
from components.shared.versions import latest_version

# Beside the model's folder, not in it: a server that watches the folder must not see it.
_STAGING = ".incoming"


class WholeVersionExecutor(stock_executor.Executor):
    """Lets the stock executor push to a place beside the destination, then renames the version.

    The stock one copies into the destination file by file: killed on the way, it leaves half a
    version there.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a model that is blessed; see the stock executor for the arguments."""
        destination = pusher_pb2.PushDestination()
        key = standard_component_specs.PUSH_DESTINATION_KEY
        proto_utils.json_to_proto(exec_properties[key], destination)
        final = destination.filesystem.base_directory
        staging = os.path.join(os.path.dirname(final), _STAGING, os.path.basename(final))
        if fileio.exists(staging):
            fileio.rmtree(staging)
        _wait_for_next_version(final)
        destination.filesystem.base_directory = staging
        super().Do(
            input_dict,
            output_dict,
            {**exec_properties, key: proto_utils.proto_to_json(destination)},
        )
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        version = pushed.get_string_custom_property("pushed_version")
        _write_version(os.path.join(staging, version), version)
        fileio.makedirs(final)
        fileio.rename(os.path.join(staging, version), os.path.join(final, version))
        fileio.rmtree(staging)
        pushed.set_string_custom_property("pushed_destination", os.path.join(final, version))


def _write_version(model: str, version: str) -> None:
    """Makes the model say which version it is; one without the asset is left as it is."""
    path = os.path.join(model, tf.saved_model.ASSETS_DIRECTORY, VERSION_FILE)
    if fileio.exists(path):
        with fileio.open(path, "w") as file:
            file.write(version)


def _wait_for_next_version(folder: str) -> None:
    """Waits until the clock, which numbers the versions, has passed the newest one."""
    newest = latest_version(folder)
    while newest and int(time.time()) <= int(newest) < time.time() + 60:
        time.sleep(0.1)
