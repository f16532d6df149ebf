from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.gallery import write_gallery
from components.evaluator.misreadings import FALSE_ALARM, MISS, Misreading
from components.films.picture import decode_grey
from components.shared.result import Misread
from support.films import encode, tiny_film

READINGS = [
    Misreading(MISS, "test/b.png", "b", 1, 0.1),
    Misreading(FALSE_ALARM, "test/a.png", "a", 0, 0.9),
]
FILMS = {f"test/{name}.png": tiny_film(seed) for seed, name in enumerate("abc")}


def corner(image: tf.Tensor) -> tf.Tensor:
    return tf.io.encode_png(tf.io.decode_png(image, channels=1)[:7, :9])


class Model(tf.Module):
    """Answers with the number of bytes in every cell, and a corner of the film."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.cast(tf.strings.length(image_bytes), tf.float32)
        return {
            "heatmap": length[:, tf.newaxis, tf.newaxis] * tf.ones([1, 2, 3]),
            "seen_bytes": tf.map_fn(corner, image_bytes, fn_output_signature=tf.string),
        }


def example(name: str, image: bytes) -> bytes:
    feature = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in (("file_name", name.encode()), ("image", image))
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@pytest.fixture
def examples(tmp_path: Path) -> str:
    folder = tmp_path / "Split-test"
    folder.mkdir()
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(folder / "films.gz"), options) as writer:
        for name, film in FILMS.items():
            writer.write(example(name, encode(film, ".png")))
    return str(folder)


def loaded(folder: Path, *, explains: bool) -> Any:
    model = Model()
    signatures: dict[str, Any] = {"explain": model.explain} if explains else {}
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return tf.saved_model.load(str(folder))


def test_pictures_are_of_the_misread_films_in_their_order(tmp_path: Path, examples: str) -> None:
    model = loaded(tmp_path / "model", explains=False)
    found = write_gallery(READINGS, examples, model, str(tmp_path))
    assert found == [
        Misread(**reading._asdict(), picture=f"errors/00{number}.png", heatmap=None)
        for number, reading in enumerate(READINGS)
    ]
    for shown in found:
        picture = decode_grey((tmp_path / shown.picture).read_bytes())
        np.testing.assert_array_equal(picture, FILMS[shown.file_name])
    assert len(list((tmp_path / "errors").iterdir())) == 2


def test_a_model_that_explains_itself_gives_heatmaps(tmp_path: Path, examples: str) -> None:
    found = write_gallery(
        READINGS, examples, loaded(tmp_path / "model", explains=True), str(tmp_path)
    )
    for shown in found:
        length = float(len(encode(FILMS[shown.file_name], ".png")))
        assert shown.heatmap == [[length] * 3] * 2
        # The heat map lies on what the model saw.
        picture = decode_grey((tmp_path / shown.picture).read_bytes())
        np.testing.assert_array_equal(picture, FILMS[shown.file_name][:7, :9])


def test_without_misreadings_nothing_is_read_or_written(tmp_path: Path) -> None:
    assert write_gallery([], "nowhere", None, str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
