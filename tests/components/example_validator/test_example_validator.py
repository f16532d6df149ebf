import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.types import standard_artifacts

import components.example_validator
from components.example_validator.executor import (
    SchemaExecutor,
    StoppingExecutor,
    describe_severe,
    schema_path,
)
from components.shared.errors import InputError

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


def test_severe_ones_are_told_of_in_order_and_the_data_set_s_last() -> None:
    found = anomalies_pb2.Anomalies()
    error = anomalies_pb2.AnomalyInfo.ERROR
    names = [f"feature_{number:02d}" for number in range(20)]
    for name in reversed(names):
        found.anomaly_info[name].severity = error
        found.anomaly_info[name].description = "broken"
    found.dataset_anomaly_info.severity = anomalies_pb2.AnomalyInfo.WARNING
    found.dataset_anomaly_info.description = "too few examples"
    told = [f"{name}: broken" for name in names]
    assert describe_severe(found) == told
    found.dataset_anomaly_info.severity = error
    assert describe_severe(found) == [*told, "too few examples"]


def validate(
    folder: Path, **splits: list[dict[str, object]]
) -> standard_artifacts.ExampleAnomalies:
    """Runs the executor on the statistics of each split's films; returns what it wrote."""
    found = standard_artifacts.ExampleStatistics()
    found.uri = str(folder / "statistics")
    found.split_names = json.dumps(list(splits))
    for split, films in splits.items():
        path = folder / "statistics" / f"Split-{split}"
        path.mkdir(parents=True)
        (path / "FeatureStats.pb").write_bytes(statistics(films).SerializeToString())
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    shutil.copy(SCHEMA, folder / "schema")
    written = standard_artifacts.ExampleAnomalies()
    written.uri = str(folder / "anomalies")
    StoppingExecutor().Do({"statistics": [found], "schema": [schema]}, {"anomalies": [written]}, {})
    return written


def test_splits_that_the_schema_expects_let_the_run_go_on(tmp_path: Path) -> None:
    good = [film(number) for number in range(40)]
    written = validate(tmp_path, train=good, test=good)
    assert json.loads(written.split_names) == ["train", "test"]
    for split in ("train", "test"):
        path = tmp_path / "anomalies" / f"Split-{split}" / "SchemaDiff.pb"
        assert not anomalies_pb2.Anomalies.FromString(path.read_bytes()).anomaly_info


def test_each_severe_anomaly_of_each_split_is_in_the_sentence_that_stops_the_run(
    tmp_path: Path,
) -> None:
    good = [film(number) for number in range(40)]
    negatives_of_one_class = [film(2 * number, polarity="inverted") for number in range(40)]
    nine_channels = [film(number, channels=9) for number in range(40)]
    with pytest.raises(InputError) as caught:
        validate(tmp_path, train=good, eval=negatives_of_one_class, test=nine_channels)
    opening = "The data set is not what the schema expects: "
    assert str(caught.value).startswith(opening)
    told = str(caught.value).removeprefix(opening).split(" | ")
    assert [line.split(": ")[0] for line in told] == [
        "split eval, label",
        "split eval, polarity",
        "split test, channels",
    ]
    assert all(line.strip().endswith(".") for line in told)
    assert "inverted" in told[1]
    assert "9" in told[2]


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
