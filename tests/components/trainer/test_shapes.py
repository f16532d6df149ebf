import math

import numpy as np
import pytest

from components.trainer.shapes import evening


def test_classes_are_made_alike_on_average() -> None:
    # The normal film was squashed by 1.2, the pneumonias by 1.6 and 1.8 / 1.6, on average by
    # the root of 1.8.
    squashed = np.array([1.6, 1.2, 1.8 / 1.6], np.float32)
    found = evening(np.array([1, 0, 1]), squashed)
    assert found.dtype == np.float32
    middle = (math.log(1.2) + math.log(1.8) / 2) / 2
    pneumonia, normal = middle - math.log(1.8) / 2, middle - math.log(1.2)
    np.testing.assert_allclose(found, [pneumonia, normal, pneumonia], rtol=1e-6)
    after = np.log(squashed) + found
    assert after[[0, 2]].mean() == pytest.approx(after[1], abs=1e-6)


def test_films_that_were_squashed_alike_are_left_alone() -> None:
    assert evening(np.array([0, 1, 1, 0]), np.full(4, 1.3)).tolist() == [0.0] * 4


def test_one_class_has_nothing_to_be_told_from() -> None:
    assert evening(np.array([1, 1]), np.array([1.0, 2.0])).tolist() == [0.0, 0.0]
