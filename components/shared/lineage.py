"""What a run did, read back from ML Metadata."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

Store: TypeAlias = metadata_store.MetadataStore
CACHED = "CACHED"
_DONE = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
_RUN = "pipeline_run"
_NODE = "node"


class Output(NamedTuple):
    """An artifact that a node gave out.

    Attributes:
        key: the output's name.
        artifact: MLMD's number of it.
        uri: its folder.
        properties: its custom properties.
    """

    key: str
    artifact: int
    uri: str
    properties: dict[str, Any]


class NodeRun(NamedTuple):
    """A node in one run.

    Attributes:
        node: its name.
        execution: MLMD's number of the execution.
        state: COMPLETE, CACHED, FAILED or RUNNING.
        seconds: from when it was registered to when its state last changed.
        outputs: its artifacts, which an earlier run may have made.
    """

    node: str
    execution: int
    state: str
    seconds: float
    outputs: list[Output]

    def output(self, key: str) -> Output:
        """Returns the only artifact under a key."""
        (found,) = [output for output in self.outputs if output.key == key]
        return found


def open_store(database: str) -> Store:
    """Opens a run folder's MLMD.

    Args:
        database: path of its SQLite file.
    """
    return Store(metadata.sqlite_metadata_connection_config(database))


def latest_run(database: str) -> dict[str, NodeRun]:
    """Reads the newest run of a run folder.

    Args:
        database: path of MLMD's SQLite file.

    Returns:
        The nodes that ran, by name, in the order in which they ran.
    """
    store = open_store(database)
    newest = max(store.get_contexts_by_type(_RUN), key=lambda run: run.id, default=None)
    return {} if newest is None else run_of(store, newest.name)


def run_of(store: Store, run_id: str) -> dict[str, NodeRun]:
    """Reads a run.

    Args:
        store: MLMD.
        run_id: the run's name there.

    Returns:
        The nodes that have begun, by name, in the order in which they began.
    """
    context = store.get_context_by_type_and_name(_RUN, run_id)
    executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
    found = (_node_run(store, execution) for execution in executions)
    return {run.node: run for run in found}


def newest_run_of(database: str, node: str) -> NodeRun | None:
    """Reads the newest execution of a node that has given something out, in any run.

    Args:
        database: path of MLMD's SQLite file.
        node: its name.
    """
    store = open_store(database)
    executions = [
        execution
        for context in store.get_contexts_by_type(_NODE)
        if _node_name(context) == node
        for execution in store.get_executions_by_context(context.id)
        if execution.last_known_state in _DONE
    ]
    newest = max(executions, key=lambda execution: execution.id, default=None)
    return _node_run(store, newest) if newest else None


def maker_properties(store: Store, output: Output) -> dict[str, Any]:
    """Returns the custom properties of the execution that made an artifact.

    An execution that took the artifact from the cache has not all of them.
    """
    made = [
        event.execution_id
        for event in _outputs(store.get_events_by_artifact_ids([output.artifact]))
    ]
    (execution,) = store.get_executions_by_id([min(made)])
    return _custom_properties(execution)


def _node_run(store: Store, execution: metadata_store_pb2.Execution) -> NodeRun:
    contexts = store.get_contexts_by_execution(execution.id)
    (node,) = [_node_name(context) for context in contexts if context.type == _NODE]
    events = _outputs(store.get_events_by_execution_ids([execution.id]))
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    took_ms = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeRun(
        node=node,
        execution=execution.id,
        state=metadata_store_pb2.Execution.State.Name(execution.last_known_state),
        seconds=took_ms / 1000,
        outputs=[_output(event, artifacts[event.artifact_id]) for event in events],
    )


def _outputs(events: Sequence[metadata_store_pb2.Event]) -> list[metadata_store_pb2.Event]:
    return [event for event in events if event.type == metadata_store_pb2.Event.OUTPUT]


def _node_name(context: metadata_store_pb2.Context) -> str:
    """Returns the node of a context of the type `node`, which is named `<pipeline>.<node>`."""
    return str(context.name.split(".", 1)[1])


def _output(event: metadata_store_pb2.Event, artifact: metadata_store_pb2.Artifact) -> Output:
    return Output(event.path.steps[0].key, artifact.id, artifact.uri, _custom_properties(artifact))


def _custom_properties(
    found: metadata_store_pb2.Artifact | metadata_store_pb2.Execution,
) -> dict[str, Any]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in found.custom_properties.items()
    }
