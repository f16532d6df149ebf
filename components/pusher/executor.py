"""Pusher's executor that moves a finished version into place."""

import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as stock_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.shared.artifacts import MODEL_DIGEST
from components.shared.digest import folder_digest
from components.shared.errors import InputError
from components.shared.features import VERSION_FILE
from components.shared.versions import names_in, next_version

# Beside the model's folder, not in it: a server that watches the folder must not see it.
_STAGING = ".incoming"


class WholeVersionExecutor(stock_executor.Executor):
    """Lets the stock executor push to a place beside the destination, then renames the version.

    The stock one copies into the destination file by file: killed on the way, it leaves half a
    version there. It numbers by the clock: a version above that would be served in place of every
    later one, so the number becomes one above all that are there. And it copies whatever lies
    there: what is pushed is what ServingCheck blessed, byte for byte.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a model that is blessed; see the stock executor for the arguments.

        Raises:
            InputError: it is not the model that was checked, or there is no number for it.
        """
        destination = pusher_pb2.PushDestination()
        key = standard_component_specs.PUSH_DESTINATION_KEY
        proto_utils.json_to_proto(exec_properties[key], destination)
        final = destination.filesystem.base_directory
        staging = os.path.join(os.path.dirname(final), _STAGING, os.path.basename(final))
        if fileio.exists(staging):
            fileio.rmtree(staging)
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
        clock = pushed.get_string_custom_property("pushed_version")
        staged = os.path.join(staging, clock)
        _check_whole(staged, artifact_utils.get_single_instance(input_dict["infra_blessing"]))
        version = _next_version(final, int(clock))
        _write_version(staged, version)
        fileio.makedirs(final)
        _move(staged, os.path.join(final, version))
        fileio.rmtree(staging)
        pushed.set_string_custom_property("pushed_version", version)
        pushed.set_string_custom_property("pushed_destination", os.path.join(final, version))


def _check_whole(staged: str, blessing: types.Artifact) -> None:
    if folder_digest(staged) != blessing.get_string_custom_property(MODEL_DIGEST):
        raise InputError(
            f"The model in {blessing.uri} is not the one that ServingCheck blessed, and is not "
            "pushed: something changed it. Remove that folder and run again."
        )


def _move(staged: str, final: str) -> None:
    """Renames a version, which is a copy where it lies in a bucket."""
    digest = folder_digest(staged)
    fileio.rename(staged, final)
    if folder_digest(final) != digest:
        fileio.rmtree(final)
        raise InputError(f"What came to {final} is not what was pushed, and is removed: run again.")


def _write_version(model: str, version: str) -> None:
    """Makes the model say which version it is; one without the asset is left as it is."""
    path = os.path.join(model, tf.saved_model.ASSETS_DIRECTORY, VERSION_FILE)
    if fileio.exists(path):
        with fileio.open(path, "w") as file:
            file.write(version)


def _next_version(folder: str, clock: int) -> str:
    """Returns the number that a server takes for the newest."""
    try:
        return next_version(names_in(folder), clock)
    except ValueError as error:
        raise InputError(f"Nothing can be pushed to {folder}: {error}.") from error
