"""The locks, as texts: whole, hashed, and each of its own TFX."""

import re
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[1] / "requirements"
NAMES = ("lock.txt", "lock-tfx-1.21.txt", "lock-tfx-1.21-test.txt", "lock-tfx-1.21-gpu.txt")
PINNED = re.compile(
    r"([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==(\S+)(?: ; .*)? \\\n((?:    --hash=.*\n)*)"
)


def pinned(name: str) -> dict[str, str]:
    """Returns the releases of a lock; fails for a line that is none and belongs to none."""
    text = re.sub(r"^ *#.*\n", "", (LOCKS / name).read_text("utf-8"), flags=re.MULTILINE)
    found = {}
    for entry in re.split(r"\n(?=\S)", text.rstrip("\n")):
        match = PINNED.fullmatch(f"{entry}\n")
        assert match, entry
        hashes = match[3].replace(" \\\n", "\n").split()
        assert hashes, entry
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), entry
        found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_release_has_its_hashes(name: str) -> None:
    assert len(pinned(name)) > 150


def test_each_lock_is_of_its_own_tfx() -> None:
    of_interest = ("tfx", "tensorflow", "keras", "protobuf", "numpy", "pyarrow", "kfp")
    majors = {
        name: [pinned(name)[package].rsplit(".", 1)[0] for package in of_interest]
        for name in NAMES[:2]
    }
    assert majors == {
        "lock.txt": ["1.16", "2.16", "3.12", "3.20", "1.26", "10.0", "2.5"],
        "lock-tfx-1.21.txt": ["1.21", "2.21", "3.15", "6.33", "2.4", "18.1", "2.16"],
    }


@pytest.mark.parametrize("name", NAMES[2:])
def test_the_image_s_other_locks_only_add_to_it(name: str) -> None:
    assert pinned(NAMES[1]).items() < pinned(name).items()


def test_the_gpu_s_lock_adds_cuda_alone() -> None:
    added = set(pinned(NAMES[3])) - set(pinned(NAMES[1]))
    assert {"nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12", "nvidia-cublas-cu12"} < added
    assert all(package.startswith("nvidia-") for package in added)
