"""Reporter's driver: what ML Metadata knows of the run so far."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tfx.orchestration.portable import data_types

from components.reporter import executor
from components.reporter.gather import Provenance
from components.shared import lineage
from components.shared.artifacts import FINGERPRINT_KEY
from components.shared.drivers import PropertiesDriver
from components.shared.lineage import NodeRun, Store
from components.shared.nodes import REPORTER


class Driver(PropertiesDriver):
    """Adds times and lineage of the nodes before to the execution's properties.

    Each run has executions of its own, so no report ever comes from the cache.
    """

    def extra_properties(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Returns the JSON of a `Provenance`."""
        with self.metadata_handle as handle:
            run = lineage.run_of(handle.store, execution_info.pipeline_run_id)
            fingerprint = _fingerprint(handle.store, execution_info)
        found = _provenance([node for node in run.values() if node.node != REPORTER], fingerprint)
        return {executor.PROVENANCE_KEY: json.dumps(dataclasses.asdict(found))}


def _fingerprint(store: Store, execution_info: data_types.ExecutionInfo) -> str | None:
    (examples,) = execution_info.input_dict[executor.EXAMPLES_KEY]
    output = lineage.Output(executor.EXAMPLES_KEY, examples.id, examples.uri, {})
    found: str | None = lineage.maker_properties(store, output).get(FINGERPRINT_KEY)
    return found


def _provenance(nodes: list[NodeRun], fingerprint: str | None) -> Provenance:
    return Provenance(
        timings={node.node: round(node.seconds, 2) for node in nodes},
        cached=[node.node for node in nodes if node.state == lineage.CACHED],
        lineage=[_row(node) for node in nodes],
        data_fingerprint=fingerprint,
    )


def _row(node: NodeRun) -> dict[str, Any]:
    return {
        "node": node.node,
        "execution": node.execution,
        "state": node.state,
        "outputs": [
            {"key": output.key, "artifact": output.artifact, "uri": output.uri}
            for output in node.outputs
        ],
    }
