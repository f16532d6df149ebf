"""Fixtures for all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from films import Layout, write_films

# Before TensorFlow is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

MakeData = Callable[[Layout], Path]


@pytest.fixture
def make_data(tmp_path: Path) -> MakeData:
    """Makes a data set in a folder of the test's own."""
    return lambda layout: write_films(tmp_path / "chest_xray", layout)
