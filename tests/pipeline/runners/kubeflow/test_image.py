"""The image, looked at from outside; for `make test-image`."""

import json
import os

import pytest

from components.shared.code_version import code_version
from support.kfp_cluster.pods import docker

IMAGE = os.environ.get("CXR_IMAGE", "")

pytestmark = pytest.mark.skipif(not IMAGE, reason="CXR_IMAGE names no image")


def run(*arguments: str) -> str:
    return docker("run", "--rm", "--network=none", *arguments)


def python(code: str) -> str:
    return run(IMAGE, "python", "-c", code)


def test_labels_tell_the_code() -> None:
    (image,) = json.loads(docker("image", "inspect", IMAGE))
    labels = {
        key.removeprefix("org.opencontainers.image."): value
        for key, value in image["Config"]["Labels"].items()
    }
    here = code_version()
    assert {"package": labels["version"], "commit": labels["revision"]} == here
    assert "not a medical device" in labels["description"]
    code = "import json, components.shared.code_version as v; print(json.dumps(v.code_version()))"
    assert json.loads(python(code)) == here


def test_it_runs_as_no_root_and_as_whoever_a_cluster_chooses() -> None:
    for user, options in (("10001", []), ("1234560000", ["--user", "1234560000:0"])):
        command = 'touch "$HOME/mine" && id -u && id -g'
        assert run(*options, IMAGE, "sh", "-c", command).split() == [user, "0"]


def test_nothing_to_build_with_or_to_test_with_is_left() -> None:
    tools = "ar as c++ cc clang cpp g++ gcc git ld make pip uv python"
    look = f"for tool in {tools}; do command -v $tool; done; true"
    assert run(IMAGE, "sh", "-c", look) == "/opt/cxr/bin/python"
    modules = ("moto", "pip", "pytest", "selenium", "tfx")
    code = f"from importlib.util import find_spec as f; print(*[m for m in {modules} if f(m)])"
    assert python(code) == "tfx"


def test_it_has_the_current_tfx() -> None:
    code = (
        "import sys; from importlib.metadata import version as v; "
        "print(*sys.version_info[:2], v('tfx'), v('tensorflow'))"
    )
    assert python(code) == "3 13 1.21.0 2.21.0"
