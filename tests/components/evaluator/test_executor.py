"""The executor on films whose score is known: the node without the pipeline around it."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import confusion_matrix, roc_auc_score
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.evaluator import executor
from components.evaluator.champion import read_note
from components.evaluator.changes import CHANGES
from components.evaluator.settings import Gate, RunSettings
from components.evaluator.stress import choose_films
from components.shared.features import SPLITS
from components.shared.limits import FilmLimits, limits_of
from components.shared.result import ConfusionMatrix, Result
from components.shared.statistics.bootstrap import Bootstrap, Sample
from components.shared.statistics.tally import auc
from support.films import encode

SIDE = 40
FILMS = 40
SEED = 5
NO_BOUNDS = Gate(**dict.fromkeys(Gate.model_fields))


class ByCentre(tf.Module):
    """The probability is a table's at the grey level of the film's middle."""

    def __init__(self, table: np.ndarray, threshold: float) -> None:
        super().__init__()
        self.table = tf.Variable(table, dtype=tf.float32)
        self.threshold = tf.Variable(threshold, dtype=tf.float32)

    def _one(self, film: tf.Tensor) -> tf.Tensor:
        grey = tf.io.decode_image(film, 1, expand_animations=False)
        rows, columns = tf.shape(grey)[0], tf.shape(grey)[1]
        return self.table[tf.cast(grey[rows // 2, columns // 2, 0], tf.int32)]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def by_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        images = tf.io.parse_example(examples, spec)["image"]
        probability = tf.map_fn(self._one, images, fn_output_signature=tf.float32)
        threshold = tf.fill(tf.shape(probability), self.threshold)
        return {"probability": probability, "threshold": threshold}


def save(folder: Path, table: np.ndarray, threshold: float = 0.5) -> None:
    model = ByCentre(table, threshold)
    tf.saved_model.save(model, str(folder), signatures={"serving_examples": model.by_examples})


RISING = np.linspace(0.02, 0.98, 256)


def film(centre: int) -> np.ndarray:
    """A film of mean grey level 100, whatever its middle is."""
    pixels = np.full((SIDE, SIDE), round((1600 * 100 - 400 * centre) / 1200), np.uint8)
    pixels[10:30, 10:30] = centre
    return pixels


def example(split: str, number: int, label: int, centre: int) -> bytes:
    def texts(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def whole(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    feature = {
        "image": texts(encode(film(centre), ".png")),
        "label": whole(label),
        "subtype": texts(b"virus" if label else b"normal"),
        "patient": texts(f"{split}-{label}-{number // 2}".encode()),
        "file_name": texts(f"{split}/{label}/{number:03d}.png".encode()),
        "width": whole(SIDE),
        "height": whole(SIDE),
        "mean": tf.train.Feature(float_list=tf.train.FloatList(value=[100 / 255])),
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


class Evaluated(NamedTuple):
    """What the executor wrote."""

    result: Result
    rows: list[dict[str, str]]
    blessed: bool
    model: Path


class Site(NamedTuple):
    """Films, and a place to work."""

    folder: Path
    examples: Any

    @property
    def destination(self) -> Path:
        return self.folder / "served"

    def evaluate(self, table: np.ndarray, name: str, **changes: Any) -> Evaluated:
        """Evaluates a model; `champion` is the version that the driver found, None without one."""
        folder = self.folder / name
        trained = artifact(standard_artifacts.Model, folder / "model")
        save(Path(trained.uri) / "Format-Serving", table)
        output = {
            key: artifact(kind, folder / key)
            for key, kind in (
                ("calibrated_model", standard_artifacts.Model),
                ("evaluation", standard_artifacts.ModelEvaluation),
                ("blessing", standard_artifacts.ModelBlessing),
            )
        }
        champion = changes.pop("champion", "")
        properties = {} if champion is None else {"champion": champion}
        fields: Mapping[str, Any] = {
            "gate": NO_BOUNDS,
            "bootstrap_resamples": 200,
            "stress_films": 4,
            "seed": SEED,
            "limits": FilmLimits(max_pixels=12_345),
            **changes,
        }
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=[], tmp_dir=str(folder / "tmp"), unique_id="1"
        )
        executor.Executor(context).Do(
            {"examples": [self.examples], "model": [trained]},
            {key: [made] for key, made in output.items()},
            {
                "settings": RunSettings(**fields).model_dump_json(),
                "push_destination": str(self.destination),
                **properties,
            },
        )
        evaluation = Path(output["evaluation"].uri)
        with (evaluation / "predictions.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return Evaluated(
            Result.of_metrics(json.loads((evaluation / "result.json").read_text())),
            rows,
            bool(output["blessing"].get_int_custom_property("blessed")),
            Path(output["calibrated_model"].uri) / "Format-Serving",
        )


def artifact(kind: Any, folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def centre_of(split: str, number: int, label: int) -> int:
    """The grey level of a film's middle, which the classes share in part."""
    rng = np.random.default_rng([SPLITS.index(split), number, label])
    return int(np.clip(rng.normal((90, 160)[label], 30), 5, 250))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("evaluator")
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = json.dumps(list(SPLITS))
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for split in SPLITS:
        path = folder / "examples" / f"Split-{split}"
        path.mkdir()
        with tf.io.TFRecordWriter(str(path / "films.gz"), options) as writer:
            for number in range(FILMS):
                for label in (0, 1):
                    writer.write(example(split, number, label, centre_of(split, number, label)))
    save(folder / "served" / "7", RISING, threshold=0.7)
    return Site(folder, examples)


@pytest.fixture(autouse=True)
def _less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes long and is tested elsewhere."""
    monkeypatch.setattr(executor, "CHANGES", CHANGES[:2])
    monkeypatch.setattr("components.evaluator.tfma_results.write_results", lambda *_: None)


def of_test(found: Evaluated) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns labels, probabilities and patients of the test films."""
    rows = [row for row in found.rows if row["split"] == "test"]
    return (
        np.array([int(row["label"]) for row in rows]),
        np.array([float(row["probability"]) for row in rows], np.float32),
        [row["patient"] for row in rows],
    )


def blessings(site: Site, name: str) -> list[str]:
    """Returns the files of the blessing, which the stock components look for."""
    return [path.name for path in (site.folder / name / "blessing").iterdir()]


def worse_than_rising() -> np.ndarray:
    """A table that puts the middle levels, where both classes are, the wrong way round."""
    table = RISING.copy()
    table[80:160] = RISING[80:160][::-1]
    return table


def test_a_worse_model_is_refused_and_all_is_measured_as_it_was_asked_for(site: Site) -> None:
    table = worse_than_rising()
    found = site.evaluate(table, "worse", champion="7", champion_tolerance=0.0)
    result = found.result
    assert not found.blessed
    assert blessings(site, "worse") == ["NOT_BLESSED"]
    written = (site.folder / "worse" / "evaluation" / "predictions.csv").read_bytes()
    # Of eval and test 40 films of each class, below a header.
    assert (written.count(b"\n"), written.count(b"\r")) == (161, 0)
    assert limits_of(found.model) == FilmLimits(max_pixels=12_345)
    assert set(result.failed) == {"champion_auc"}
    labels, scores, patients = of_test(found)
    centres = [
        centre_of("test", int(row["file_name"][7:10]), int(row["label"]))
        for row in found.rows
        if row["split"] == "test"
    ]
    np.testing.assert_array_equal(scores, table[centres].astype(np.float32))
    # The champion at its own threshold, which is in its model.
    champion, served = result.champion, RISING[centres].astype(np.float32)
    assert champion is not None
    assert (champion.version, champion.threshold) == ("7", pytest.approx(0.7))
    tn, fp, fn, tp = confusion_matrix(labels, served >= np.float32(0.7)).ravel()
    assert champion.confusion_matrix == ConfusionMatrix(tn=tn, fp=fp, fn=fn, tp=tp)
    area = roc_auc_score(labels, scores) - roc_auc_score(labels, served)
    assert result.gate["champion_auc"].value == pytest.approx(area)
    # Without the middle all films are alike.
    assert result.controls["lungs_blanked"].auc == 0.5
    # The draws, and the choice of films to change, are of the seed that was given.
    sample = Sample(labels, scores, np.array(patients))
    drawn = Bootstrap(200, SEED).intervals(sample, lambda films: {"auc": auc(films)})["auc"]
    assert result.interval("auc") == pytest.approx(drawn)
    chosen = choose_films(patients, labels, 4, SEED)
    called = scores[chosen] >= np.float32(result.threshold)
    stressed = result.stress["test"].unchanged
    assert stressed.value("recall") == pytest.approx(called[labels[chosen] == 1].mean())
    assert stressed.value("auc") == pytest.approx(roc_auc_score(labels[chosen], scores[chosen]))


def test_the_tolerance_lets_a_worse_model_pass(site: Site) -> None:
    found = site.evaluate(worse_than_rising(), "tolerated", champion="7", champion_tolerance=1.0)
    assert found.blessed
    assert blessings(site, "tolerated") == ["BLESSED"]
    assert found.result.gate["champion_auc"].bound == -1.0


def test_without_a_driver_the_newest_version_is_the_champion(site: Site, tmp_path: Path) -> None:
    save(tmp_path / "served" / "6", RISING, threshold=0.3)
    save(tmp_path / "served" / "10", RISING, threshold=0.7)
    found = Site(tmp_path, site.examples).evaluate(worse_than_rising(), "alone", champion=None)
    champion = found.result.champion
    assert champion is not None
    assert (champion.version, champion.threshold) == ("10", pytest.approx(0.7))


def test_a_champion_that_is_gone_is_told_of_and_not_compared_with(site: Site) -> None:
    found = site.evaluate(RISING, "alone", champion="6")
    assert found.blessed
    assert found.result.champion is None
    assert found.result.champion_lost.startswith("version 6: it cannot be loaded (OSError: ")
    assert not found.result.gate
    # The same model evaluated again is to be looked for in the cache by the same champion.
    note = read_note(str(found.model))
    assert note is not None
    assert note.champion == "6"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (np.full(256, 0.25), "all 80 scores are 0.25"),
        (np.full(256, np.nan), "80 scores are not finite"),
        (RISING[::-1], "no threshold separates the classes better than chance"),
    ],
)
def test_a_model_that_learned_nothing_is_refused(
    site: Site, tmp_path: Path, table: np.ndarray, why: str
) -> None:
    found = site.evaluate(table, tmp_path.name)
    assert not found.blessed
    assert found.result.failed["threshold"].why == f"none was found on eval: {why}."
    assert found.result.threshold == 0.5
    assert found.result.youden is None
    assert np.isfinite(of_test(found)[1]).all()


@pytest.mark.parametrize(
    ("table", "lost"),
    [(np.full(256, np.nan), "80 of its 80 probabilities are no numbers"), (None, "cannot be")],
)
def test_a_champion_that_cannot_be_read_is_none(
    site: Site, table: np.ndarray | None, lost: str
) -> None:
    folder = site.destination / ("8" if table is None else "9")
    if table is None:
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"no model")
    else:
        save(folder, table)
    found = site.evaluate(RISING, f"beside-{folder.name}", champion=folder.name)
    assert found.blessed
    assert found.result.champion is None
    assert lost in found.result.champion_lost
