import subprocess
import sys
from pathlib import Path

import pytest

from components.shared.run_folder import RunFolder
from components.shared.versions import (
    LARGEST,
    is_version,
    latest_version,
    local_versions,
    next_version,
    whole_versions,
)

# Digits to Python, and to nobody else.
ARABIC = "\u0661\u0664"


@pytest.mark.parametrize("name", ["0", "1", "10", "1718000000", str(2**63 - 1)])
def test_names_of_versions(name: str) -> None:
    assert is_version(name)


@pytest.mark.parametrize(
    "name", ["", "x", "-1", "1.5", "7.part", " 7", "\u00b2", ARABIC, str(2**63)]
)
def test_other_names(name: str) -> None:
    assert not is_version(name)


def test_the_whole_ones_are_ordered_by_number() -> None:
    names = ["9", "10", "11", "x", ARABIC, str(2**63)]
    assert whole_versions(names, lambda name: name != "11") == ["9", "10"]
    assert whole_versions(names, lambda name: False) == []


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ([], "100"),
        (["99", "x"], "100"),
        (["100"], "101"),
        (["9", "5000", "70"], "5001"),
        ([ARABIC, str(2**63)], "100"),
    ],
)
def test_the_next_is_above_all(names: list[str], number: str) -> None:
    assert next_version(names, 100) == number


def test_above_the_largest_there_is_none() -> None:
    assert next_version([str(LARGEST - 1)], 100) == str(LARGEST)
    with pytest.raises(ValueError, match="no version above 9223372036854775807"):
        next_version([str(LARGEST)], 100)


def test_a_folder_with_half_a_version(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).serving_model("pneumonia")
    assert latest_version(str(folder)) == ""
    assert RunFolder(tmp_path).versions("pneumonia") == []
    (folder / "11" / "variables").mkdir(parents=True)
    assert latest_version(str(folder)) == ""
    assert local_versions(folder) == []
    for name in ("9", "10", "backup", ARABIC, str(2**63)):
        (folder / name).mkdir()
        (folder / name / "saved_model.pb").touch()
    assert latest_version(str(folder)) == "10"
    assert local_versions(folder) == ["9", "10"]
    assert RunFolder(tmp_path).versions("pneumonia") == ["9", "10"]


def test_a_run_folder_needs_no_tensorflow() -> None:
    code = "import sys, components.shared.run_folder; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
