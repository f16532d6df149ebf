import pytest
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import data_types

from components.shared import code_version, drivers
from components.shared.drivers import PropertiesDriver
from components.shared.nodes import NODES, STATISTICS_GEN
from pipeline.config import Config
from pipeline.graph import create_pipeline


def key(monkeypatch: pytest.MonkeyPatch, package: str, commit: str | None) -> object:
    """What the driver adds for the cache where this is the code."""
    found = {"package": package, **({"commit": commit} if commit else {})}
    monkeypatch.setattr(code_version, "code_version", lambda: found)
    info = data_types.ExecutionInfo(exec_properties={"settings": "{}"})
    output = PropertiesDriver(None).run(info)
    properties = data_types_utils.build_value_dict(output.exec_properties)
    assert properties["settings"] == "{}"
    return properties[drivers.CODE_KEY]


def test_results_belong_to_the_code_that_made_them(monkeypatch: pytest.MonkeyPatch) -> None:
    first = key(monkeypatch, "0.1.0", "0a1b2c")
    assert first == "0.1.0 0a1b2c"
    assert key(monkeypatch, "0.2.0", "0a1b2c") != first
    assert key(monkeypatch, "0.1.0", "3d4e5f") != first
    # Or no result would outlive the next edit.
    assert key(monkeypatch, "0.1.0", "0a1b2c-dirty") == first
    assert key(monkeypatch, "0.1.0", None) == "0.1.0"


def test_every_node_that_runs_the_project_s_code_has_the_key() -> None:
    nodes = create_pipeline(Config(), "data", "root", "push").components
    without = [node.id for node in nodes if not issubclass(node.driver_class, PropertiesDriver)]
    assert without == [STATISTICS_GEN]
    assert [node.id for node in nodes] == list(NODES)
