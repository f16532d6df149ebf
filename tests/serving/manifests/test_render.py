from pathlib import Path
from typing import Any

import pytest
import yaml

from serving import manifests
from serving.manifests.render import Serving, render
from serving.manifests.rollout import choose

TEMPLATES = Path(manifests.__file__).parent / "templates"
BASE = {
    path.relative_to(TEMPLATES).as_posix(): path.read_text("utf-8")
    for path in TEMPLATES.rglob("*")
    if path.is_file()
}
OTHER = Serving("tb-2", choose(["8", "9"], None), "../tb-2")


def words(value: Any) -> list[str]:
    """All keys and texts of a document."""
    if isinstance(value, dict):
        return [*value, *(word for inner in value.values() for word in words(inner))]
    if isinstance(value, list):
        return [word for inner in value for word in words(inner)]
    return [str(value)]


def test_the_default_name_is_left_nowhere() -> None:
    for path, text in render(BASE, OTHER).items():
        assert "pneumonia" not in text, path


@pytest.mark.parametrize("path", sorted(path for path in BASE if path.endswith(".yaml")))
def test_a_value_that_merely_contains_the_word_stays(path: str) -> None:
    document = yaml.safe_load(BASE[path])
    key = "labels" if path == "compose.yaml" else "annotations"
    place = document["services"]["tf-serving"] if path == "compose.yaml" else document["metadata"]
    place[key] = {"pneumonia.example/purpose": "finds pneumonia", "owner": "pneumonia-team"}
    rendered = yaml.safe_load(render({**BASE, path: yaml.dump(document)}, OTHER)[path])
    kept = [word for word in words(rendered) if "pneumonia" in word]
    assert sorted(kept) == ["finds pneumonia", "pneumonia-team", "pneumonia.example/purpose"]
