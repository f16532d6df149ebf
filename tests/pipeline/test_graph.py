from pathlib import Path

from components.evaluator.executor import write_limits
from components.evaluator.settings import RunSettings
from components.example_gen.settings import Settings
from components.shared.limits import FilmLimits, limits_of
from pipeline.config import Config
from pipeline.graph import evaluator_settings


def test_the_limits_of_a_runs_films_travel_with_its_model(tmp_path: Path) -> None:
    config = Config(example_gen=Settings(max_pixels=7, min_side=2, max_bad_fraction=0.5))
    # The evaluator gets its settings as JSON.
    told = RunSettings.model_validate_json(evaluator_settings(config).model_dump_json())
    write_limits(str(tmp_path), told.limits)
    assert limits_of(tmp_path) == FilmLimits(max_pixels=7, min_side=2)


def test_a_model_that_does_not_say_has_the_defaults(tmp_path: Path) -> None:
    assert limits_of(tmp_path) == FilmLimits()
