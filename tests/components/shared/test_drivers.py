from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import data_types

from components.shared import drivers
from components.shared.code_version import code_key
from components.shared.drivers import PropertiesDriver
from components.shared.nodes import NODES, STATISTICS_GEN
from components.transform.component import Driver
from pipeline.config import Config
from pipeline.graph import create_pipeline


def test_results_belong_to_the_code_that_made_them() -> None:
    info = data_types.ExecutionInfo(exec_properties={"settings": "{}"})
    output = Driver(None).run(info)
    properties = data_types_utils.build_value_dict(output.exec_properties)
    assert properties == {"settings": "{}", drivers.CODE_KEY: code_key("transform")}


def test_every_node_that_runs_the_project_s_code_has_the_key_of_its_room() -> None:
    nodes = create_pipeline(Config(), "data", "root", "push").components
    without = [node.id for node in nodes if not issubclass(node.driver_class, PropertiesDriver)]
    assert without == [STATISTICS_GEN]
    for node in nodes:
        if node.id not in without:
            room = ".".join(type(node).__module__.split(".")[:2])
            assert node.driver_class.__module__.startswith(f"{room}."), node.id
    assert [node.id for node in nodes] == list(NODES)
