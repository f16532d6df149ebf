import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_SETTINGS, FinishedRun
from tfx.utils import path_utils

from bench import ablation
from bench.ablation import Found, averaged, main, smoothed_loss, undersampled
from components.evaluator.blanking import encode_png
from components.evaluator.changes import CHANGES
from components.evaluator.changes import mirrored as mirrored_film
from components.films.picture import decode_grey
from components.shared.record import decode
from components.trainer import model, targets
from components.trainer.settings import RunSettings
from support.tiny_training import STILL

SETTINGS = RunSettings(
    backbone="none",
    input_size=32,
    seed=1,
    epochs=3,
    batch_size=4,
    learning_rate=0.5,
    dense_units=None,
    dropout=0.0,
    patience=1,
    views=None,
    augmentation=STILL,
    work_dir="",
)


def test_smoothing_by_hand() -> None:
    # Probabilities 1/2, 1/4, 1/4; the target is the first, then either of the others.
    logits = np.log([[2.0, 1.0, 1.0]] * 2).astype(np.float32)
    target = np.array([[1, 0, 0], [0, 1, 1]], np.float32)
    everywhere = (math.log(2) + 2 * math.log(4)) / 3
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(smoothed_loss(target, logits)),
        [0.9 * math.log(2) + 0.1 * everywhere] * 2,
        rtol=1e-6,
    )


def test_smoothing_of_one_logit_is_keras_own() -> None:
    logits = np.array([[2.0], [-1.0], [0.0]], np.float32)
    target = np.array([[1.0], [1.0], [0.0]], np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(smoothed_loss(target, logits)),
        keras.losses.binary_crossentropy(target, logits, from_logits=True, label_smoothing=0.1),
        rtol=1e-5,
    )


def test_the_average_takes_the_weights_place_at_the_end_of_each_epoch() -> None:
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    net = averaged(net, SETTINGS, steps=6)
    (weight,) = net.trainable_variables
    weight.assign([[0.0]])
    net.optimizer.build([weight])
    seen = []
    for _ in range(2):
        net.optimizer.apply([np.array([[1.0]], np.float32)], [weight])
        seen.append(float(keras.ops.convert_to_numpy(weight)[0, 0]))
    # Adam's steps are of the learning rate. The average starts at the first step's weight.
    assert seen[0] == pytest.approx(-0.5, abs=1e-4)
    assert seen[1] == pytest.approx(0.99 * -0.5 + 0.01 * -1.0, abs=1e-4)


def test_undersampling_keeps_as_many_pneumonias_as_normal_films_in_their_proportions() -> None:
    kinds = [0] * 6 + [1] * 12 + [2] * 6
    target = np.eye(3, dtype=np.float32)[kinds]
    normal, bacteria, virus = undersampled(target)
    assert normal.tolist() == list(range(6))
    assert (len(set(bacteria)), len(set(virus))) == (4, 2)
    assert set(bacteria) <= set(range(6, 18))
    assert set(virus) <= set(range(18, 24))
    # The same ones each time; all of them where they are fewer.
    assert [rows.tolist() for rows in undersampled(target)[1:]] == [
        bacteria.tolist(),
        virus.tolist(),
    ]
    assert sorted(undersampled(np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2]])[1]) == [3]


@pytest.mark.parametrize(
    ("name", "place", "function"),
    [
        ("labels smoothed", targets, "loss"),
        ("weights averaged", model, "compiled"),
        ("undersampled", targets, "groups"),
    ],
)
def test_a_change_is_undone_after_its_row(name: str, place: object, function: str) -> None:
    before = getattr(place, function)
    with ablation.ROWS[name].change():
        assert getattr(place, function) is not before
    assert getattr(place, function) is before


@pytest.fixture
def run(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """A run folder with what the finished run's first nodes wrote, and nothing of later runs."""
    folder = tmp_path / "run"
    for node, key in (("Transform", "transformed_examples"), ("ChestXrayExampleGen", "examples")):
        written = folder / "artifacts" / node / key
        written.mkdir(parents=True)
        (written / "1").symlink_to(finished_run.nodes[node].output(key).uri)
    config = ablation.load_config("seed", TINY_SETTINGS)
    (folder / "config.yaml").write_text(config.to_yaml())
    return folder


def patients(run: Path) -> list[str]:
    """The patient of each test film, in the order of the records."""
    return [decode(record, "patient")["patient"] for record in ablation.examples(run, "test")]


def test_rows_are_trained_once_and_held_against_the_first(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--run", str(run), "--output", str(tmp_path)]
    arguments += ["--set", "trainer.epochs=1", "default", "labels smoothed"]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    lines = [line.split("|")[1].strip() for line in first.splitlines()[2:]]
    assert lines == ["default", "labels smoothed", ablation.MIRRORED]
    monkeypatch.setattr(ablation, "train", lambda *_, **__: pytest.fail("trained again"))
    assert main(arguments) == 0
    assert capsys.readouterr().out == first
    with np.load(tmp_path / "default.npz") as found:
        assert (len(found["evaluation"]), len(found["test"])) == (18, 24)
        # Of eval fewer films than are asked for: all.
        assert found["stressed"].shape == (len(CHANGES), 18)


def test_the_base_gives_what_the_run_itself_gave(
    run: Path, finished_run: FinishedRun, tmp_path: Path
) -> None:
    arguments = ["--run", str(run), "--output", str(tmp_path), "default"]
    assert main(arguments) == 0
    with np.load(tmp_path / "default.npz") as found:
        test = found["test"]
    keys = patients(run)
    assert len(keys) == len(test) == 24
    labels = np.array([not key.startswith(("IM", "NORMAL2")) for key in keys])
    positives, negatives = test[labels], test[~labels]
    pairs = np.sign(positives[:, np.newaxis] - negatives).mean()
    assert (pairs + 1) / 2 == pytest.approx(finished_run.metrics["auc"], abs=1e-6)


def test_the_table_by_hand(run: Path) -> None:
    labels = np.array([0] * 10 + [1] * 14)
    rng = np.random.default_rng(3)
    keys = patients(run)
    by_row = np.array([0 if key.startswith(("IM", "NORMAL2")) else 1 for key in keys])
    assert sorted(by_row.tolist()) == labels.tolist()
    from bench.runs import transformed_files
    from components.trainer.films import open_split

    evaluation = open_split(transformed_files(run, "eval")).labels
    # Two normal films and two with pneumonia after each change: all right but after the third,
    # where one of each is wrong, and the last, where a pneumonia is.
    stressed = np.tile([0.1, 0.2, 0.8, 0.9], (len(CHANGES), 1))
    stressed[2], stressed[-1] = [0.1, 0.8, 0.2, 0.9], [0.1, 0.2, 0.3, 0.9]
    perfect = Found(0.1 + 0.8 * evaluation, 0.1 + 0.8 * by_row, stressed, 12.4)
    scores = rng.permutation(np.linspace(0.2, 0.8, 24))
    guess = Found(0.1 + 0.8 * evaluation, scores, stressed, 7.0)
    rows = {"default": perfect, "guess": guess}
    text = ablation.table(run, np.array([0, 0, 1, 1]), rows)
    first, second = (line.split("|")[1:-1] for line in text.splitlines()[2:])
    assert [cell.strip() for cell in first] == [
        "default",
        "1.0000",
        "",
        "1.000",
        "1.000",
        "1.000",
        f"{(len(CHANGES) - 0.75) / len(CHANGES):.3f}",
        "0.500",
        CHANGES[2].name,
        "12",
    ]
    pairs = np.sign(guess.test[by_row == 1][:, np.newaxis] - guess.test[by_row == 0]).mean()
    auc = (pairs + 1) / 2
    assert float(second[1]) == pytest.approx(auc, abs=5e-5)
    assert float(second[2].split("(")[0]) == pytest.approx(auc - 1.0, abs=5e-5)


def test_an_unknown_row_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--run", "r", "--output", "o", "larger"])
    assert ended.value.code == 2
    assert "'larger' is no row; the rows are default" in capsys.readouterr().err


def test_a_folder_of_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"trainer": {"backbone": "none"}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    arguments = ["--run", str(tmp_path), "--output", str(tmp_path / "out"), "default"]
    assert main(arguments) == 2
    assert f"{tmp_path} holds what 0 runs of ChestXrayExampleGen wrote" in capsys.readouterr().err


def test_changed_films_are_seen_as_the_served_model_sees_them(
    run: Path, finished_run: FinishedRun
) -> None:
    config = ablation.load_config(str(run / "config.yaml"))
    stressed = ablation.change_films(run, config)
    assert stressed.pictures.shape == (len(CHANGES), 18, 32, 32, 1)
    assert stressed.pictures.dtype == np.uint8
    # The mirror image, the last change, of films that are padded to a square and shrunk.
    films = [
        tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0]
        for record in ablation.examples(run, "eval")
    ]
    trained = path_utils.serving_model_path(finished_run.nodes["Trainer"].output("model").uri)
    explain = tf.saved_model.load(trained).signatures["explain"]
    mirrored = [encode_png(mirrored_film(decode_grey(film))) for film in films]
    seen = explain(image_bytes=tf.constant(mirrored))["seen_bytes"].numpy()
    for data, picture in zip(seen, stressed.pictures[-1], strict=True):
        np.testing.assert_array_equal(decode_grey(data), picture[..., 0])


def test_log_odds_of_films_and_their_mirror_images(run: Path) -> None:
    config = ablation.load_config(str(run / "config.yaml"))
    # The mean of the left half less that of the right changes its sign in the mirror.
    sides = lambda batch: np.mean(batch[:, :, :16] - batch[:, :, 16:], axis=(1, 2))  # noqa: E731
    found = ablation.log_odds(sides, ablation.pictures_of_test(run, config), (1, -1))
    assert found.shape == (2, 24)
    assert np.abs(found).min() > 0
    np.testing.assert_allclose(found[1], -found[0], rtol=1e-4)
