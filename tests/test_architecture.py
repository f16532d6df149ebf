"""Who may import whom; docs/architecture.md says what each room is for."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("bench", "components", "pipeline", "serving")
SHARED = "components.shared"
FILMS = "components.films"


def room(module: str) -> str:
    """The room of `components.trainer.model` is `components.trainer`, of others the package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "components" else parts[0]


def imports() -> Iterator[tuple[str, str]]:
    """Yields (module, what it imports) of the project's own."""
    for package in PACKAGES:
        # Where it is imported from: the image has the packages installed.
        folder = Path(importlib.import_module(package).__file__ or "").parent
        for path in sorted(folder.rglob("*.py")):
            module = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                elif isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                for name in names:
                    if name.split(".")[0] in (*PACKAGES, "tests", "support"):
                        yield module, name


def allowed(importer: str, imported: str) -> bool:
    """Whether a room may know another."""
    # The package `components` has nothing in it but its rooms.
    if imported in (importer, SHARED, "components"):
        return True
    if imported == FILMS:
        return importer != SHARED
    below = {"pipeline": ("components", "serving"), "bench": ("components", "pipeline", "serving")}
    return imported.split(".")[0] in below.get(importer, ())


def test_no_room_imports_what_is_not_below_it() -> None:
    found = list(imports())
    assert len(found) > 300
    wrong = [pair for pair in found if not allowed(room(pair[0]), room(pair[1]))]
    assert wrong == []


def test_the_rule_forbids_what_it_is_for() -> None:
    assert allowed("components.trainer", "components.shared")
    assert not allowed("components.shared", "components.trainer")
    assert not allowed("components.shared", "components.films")
    assert not allowed("components.films", "components.example_gen")
    assert allowed("serving", "components.films")
    assert not allowed("components.evaluator", "components.trainer")
    assert not allowed("serving", "pipeline")
    assert not allowed("components.reporter", "pipeline")
    assert not allowed("pipeline", "bench")
    assert not allowed("bench", "support")
