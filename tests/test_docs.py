"""What the documents name is there: links, files, targets of make, commands and their options."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.cli import main
from pipeline.config import Config

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
# Where a path begins so it is the repository's; others are a run's, or an example's.
FOLDERS = "bench|components|docs|kubeflow|pipeline|requirements|serving|tests"
LINK = re.compile(r"\]\(([^)]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})(?:/[\w.-]*\w)+)")
MODULE = re.compile(r"-m (bench(?:\.\w+)+)|`((?:bench|components|pipeline|serving)(?:\.\w+)+)[ `]")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETTING = re.compile(rf"(?<![\w.])((?:{'|'.join(Config.model_fields)})\.[a-z_.]+[a-z])(?:=|`)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not DOCS.is_dir() or not (ROOT / "components").is_dir(), reason="of a checkout alone"
)


def each(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yields (page, what is found) of every page."""
    for page in PAGES:
        for match in pattern.finditer(page.read_text("utf-8")):
            yield page.name, next(group for group in match.groups() if group)


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def words_of(block: str) -> Iterator[list[str]]:
    """Yields the words of each command `cxr` in a block of shell."""
    for line in block.replace("\\\n", " ").splitlines():
        if re.search(r"(^|\s)(\.venv/bin/)?cxr ", line):
            words = shlex.split(line, comments=True)
            start = next(i for i, word in enumerate(words) if Path(word).name == "cxr")
            yield words[start + 1 :]


def test_every_link_leads_somewhere() -> None:
    wrong = []
    for page in PAGES:
        for target in LINK.findall(page.read_text("utf-8")):
            if target.startswith("https://"):
                continue
            name, _, anchor = target.partition("#")
            path = page.parent / name if name else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                wrong.append((page.name, target))
    assert wrong == []


def test_every_page_of_docs_is_found_from_the_readme() -> None:
    linked = LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= {
        target.partition("#")[0] for target in linked
    }


def test_every_path_exists() -> None:
    found = list(each(PATH))
    assert len(found) > 40
    assert [(page, path) for page, path in found if not (ROOT / path).exists()] == []


def test_every_module_exists() -> None:
    found = list(each(MODULE))
    assert len(found) > 10
    wrong = []
    for page, name in found:
        # What follows the module is a name in it.
        parts = name.split(".")
        paths = [ROOT.joinpath(*parts[:n]).with_suffix(".py") for n in range(2, len(parts) + 1)]
        if not any(path.is_file() for path in paths):
            wrong.append((page, name))
    assert wrong == []


def test_every_target_of_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    in_backticks = [code.split() for _, code in each(CODE) if code.startswith("make ")]
    in_blocks = [
        line.split() for _, block in each(BLOCK) for line in block.splitlines() if "make " in line
    ]
    named = {
        words[words.index("make") + 1] for words in (*in_backticks, *in_blocks) if "make" in words
    }
    assert {"run", "test", "check", "pictures"} <= named
    assert named <= targets


def test_every_command_and_its_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [words for _, block in each(BLOCK) for words in words_of(block)]
    assert len(commands) > 10
    for words in commands:
        command = words[: 2 if words[0] == "kubeflow" else 1]
        with contextlib.suppress(SystemExit):  # of --help, or of a command that is none
            main([*command, "--help"])
        described = capsys.readouterr().out
        assert described, command
        options = [word for word in words if word.startswith("--")]
        assert [option for option in options if option not in described] == [], command


def test_every_setting_exists() -> None:
    found = list(each(SETTING))
    assert len(found) > 20
    settings = Config().model_dump()
    for page, name in found:
        section: object = settings
        for key in name.split("."):
            assert isinstance(section, dict), (page, name)
            assert key in section, (page, name)
            section = section[key]


def test_the_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    version = re.search(r'version="(.+)"', (ROOT / "setup.py").read_text("utf-8"))
    assert version is not None
    assert citation["version"] == version[1]
    assert f"## {version[1]} - " in (ROOT / "CHANGELOG.md").read_text("utf-8")
