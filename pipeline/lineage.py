"""What a run did, read back from ML Metadata."""

from typing import Any, NamedTuple

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

_DONE = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


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
        state: COMPLETE, CACHED or FAILED.
        outputs: its artifacts, which an earlier run may have made.
    """

    node: str
    execution: int
    state: str
    outputs: list[Output]

    def output(self, key: str) -> Output:
        """Returns the only artifact under a key."""
        (found,) = [output for output in self.outputs if output.key == key]
        return found


def latest_run(database: str) -> dict[str, NodeRun]:
    """Reads the newest run of a run folder.

    Args:
        database: path of MLMD's SQLite file.

    Returns:
        The nodes that ran, by name, in the order in which they ran.
    """
    store = metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(database))
    runs = store.get_contexts_by_type("pipeline_run")
    if not runs:
        return {}
    newest = max(runs, key=lambda run: run.id)
    executions = sorted(store.get_executions_by_context(newest.id), key=lambda e: e.id)
    found = (_node_run(store, execution) for execution in executions)
    return {run.node: run for run in found}


def newest_run_of(database: str, node: str) -> NodeRun | None:
    """Reads the newest execution of a node that has given something out, in any run.

    Args:
        database: path of MLMD's SQLite file.
        node: its name.
    """
    store = metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(database))
    executions = [
        execution
        for context in store.get_contexts_by_type("node")
        if _node_name(context) == node
        for execution in store.get_executions_by_context(context.id)
        if execution.last_known_state in _DONE
    ]
    newest = max(executions, key=lambda execution: execution.id, default=None)
    return _node_run(store, newest) if newest else None


def maker_properties(database: str, output: Output) -> dict[str, Any]:
    """Returns the custom properties of the execution that made an artifact.

    An execution that took the artifact from the cache has not all of them.

    Args:
        database: path of MLMD's SQLite file.
        output: the artifact.
    """
    store = metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(database))
    made = [
        event.execution_id
        for event in store.get_events_by_artifact_ids([output.artifact])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    (execution,) = store.get_executions_by_id([min(made)])
    return _custom_properties(execution)


def _node_run(
    store: metadata_store.MetadataStore, execution: metadata_store_pb2.Execution
) -> NodeRun:
    contexts = store.get_contexts_by_execution(execution.id)
    (node,) = [_node_name(context) for context in contexts if context.type == "node"]
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    return NodeRun(
        node=node,
        execution=execution.id,
        state=metadata_store_pb2.Execution.State.Name(execution.last_known_state),
        outputs=[_output(event, artifacts[event.artifact_id]) for event in events],
    )


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
