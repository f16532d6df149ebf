from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.types import standard_artifacts

import components.example_validator
from components.example_validator.executor import SchemaExecutor, describe_severe, schema_path

SCHEMA = Path(components.example_validator.__file__).with_name("schema.pbtxt")
RELATIVE = "components/example_validator/schema.pbtxt"


def film(number: int, **changes: object) -> dict[str, object]:
    pneumonia = number % 2
    return {
        "image": b"bytes of a film",
        "label": pneumonia,
        "subtype": "bacteria" if pneumonia else "normal",
        "patient": f"IM-{number:04d}",
        "file_name": f"train/NORMAL/IM-{number:04d}-0001.jpeg",
        "width": 1300 + number,
        "height": 950,
        "channels": 1,
        "mean": 0.48,
        "std": 0.22,
        "colour": "grey",
        "polarity": "positive",
        "squashed": 1.0,
        **changes,
    }


def statistics(films: list[dict[str, object]]) -> statistics_pb2.DatasetFeatureStatisticsList:
    schema = tfdv.load_schema_text(str(SCHEMA))
    options = tfdv.StatsOptions(schema=schema)
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame(films), options, n_jobs=1)


def anomalies(films: list[dict[str, object]]) -> Mapping[str, str]:
    schema = tfdv.load_schema_text(str(SCHEMA))
    found = tfdv.validate_statistics(statistics(films), schema)
    return dict(line.split(": ", 1) for line in describe_severe(found))


def test_films_pass() -> None:
    assert anomalies([film(number) for number in range(40)]) == {}


def test_a_few_odd_films_pass() -> None:
    odd = [film(1, polarity="inverted"), film(2, colour="colour")]
    assert anomalies([*(film(number) for number in range(40)), *odd]) == {}


def test_negatives_are_reported() -> None:
    found = anomalies([film(number, polarity="inverted") for number in range(40)])
    assert list(found) == ["polarity"]
    assert "inverted" in found["polarity"]


def test_photographs_are_reported() -> None:
    found = anomalies([film(number, colour="colour", channels=3) for number in range(40)])
    assert list(found) == ["colour"]


def test_one_class_is_reported() -> None:
    assert list(anomalies([film(2 * number) for number in range(40)])) == ["label"]


def test_a_feature_that_is_missing_or_out_of_bounds_is_reported() -> None:
    films = [film(number) for number in range(40)]
    for one in films:
        del one["patient"]
    films[3]["channels"] = 9
    assert set(anomalies(films)) == {"patient", "channels"}


def test_only_errors_are_severe() -> None:
    found = anomalies_pb2.Anomalies()
    found.anomaly_info["a"].severity = anomalies_pb2.AnomalyInfo.WARNING
    found.anomaly_info["b"].severity = anomalies_pb2.AnomalyInfo.ERROR
    found.anomaly_info["b"].description = "broken"
    assert describe_severe(found) == ["b: broken"]


def test_a_relative_schema_lies_where_the_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path / "out")
    SchemaExecutor().Do({}, {"schema": [schema]}, {"schema_file": RELATIVE})
    written = (tmp_path / "out" / "schema.pbtxt").read_text()
    assert written == SCHEMA.read_text()
    assert schema_path("/etc/other.pbtxt") == "/etc/other.pbtxt"
