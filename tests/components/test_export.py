from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.evaluator.executor import save_calibrated
from components.features import (
    EXAMPLES,
    FILE_NAME,
    IMAGE,
    IMAGE_BYTES,
    LABEL,
    LABEL_NAME,
    PATIENT,
    PROBABILITY,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    SUBTYPE,
    THRESHOLD,
)
from components.trainer.export import export
from components.transform.preprocessing import preprocess_film, preprocessing_fn
from films import encode, tiny_film

SIZE = 32
Answer = dict[str, np.ndarray]
# Of several sizes, forms and both classes.
FILMS = [
    encode(tiny_film(0)),
    encode(tiny_film(1, pneumonia=True)),
    encode(tiny_film(2, height=70, width=50), ".png"),
    encode(np.dstack([tiny_film(3, pneumonia=True)] * 3)),
    encode(tiny_film(4, height=33, width=90, pneumonia=True).astype(np.uint16) * 257, ".png"),
]


@pytest.fixture(scope="module")
def transform(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """What Transform hands to the Trainer."""
    folder = tmp_path_factory.mktemp("transform")
    strings = (IMAGE, SUBTYPE, PATIENT, FILE_NAME)
    spec: dict[str, Any] = {name: tf.io.FixedLenFeature([], tf.string) for name in strings}
    spec[LABEL] = tf.io.FixedLenFeature([], tf.int64)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    row = {IMAGE: FILMS[0], SUBTYPE: b"normal", PATIENT: b"p", FILE_NAME: b"f", LABEL: 0}
    config = {"input_size": SIZE, "square": "pad"}
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        function = ([row], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = function | tft_beam.WriteTransformFn(str(folder / "output"))
    output = tft.TFTransformOutput(str(folder / "output"))
    assert set(output.transformed_feature_spec()) == set(spec)
    return output


def build_net(bias: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(2)
    grey = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Rescaling(1 / 255.0)(grey)
    x = keras.layers.Conv2D(8, 5, strides=2)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(grey, keras.layers.Dense(1, activation="sigmoid")(x))


def net_on_decoded_films(net: keras.Model) -> np.ndarray:
    """One film at a time, by Transform's function as it stands in the code."""
    small = [preprocess_film(tf.constant(film), SIZE, "pad") for film in FILMS]
    pictures = [tf.cast(tf.io.decode_png(png), tf.float32)[tf.newaxis] for png in small]
    return np.concatenate([np.asarray(net(picture, training=False)) for picture in pictures])[:, 0]


@pytest.fixture(scope="module")
def net() -> keras.Model:
    """Gives the films probabilities on both sides of a half."""
    net = build_net()
    scores = net_on_decoded_films(net)
    assert np.ptp(scores) > 0.005
    logits = np.log(scores / (1 - scores))
    net.layers[-1].bias.assign([-np.median(logits) + 1e-4])
    return net


@pytest.fixture(scope="module")
def expected(net: keras.Model) -> np.ndarray:
    return net_on_decoded_films(net)


@pytest.fixture(scope="module")
def exported(
    net: keras.Model, transform: tft.TFTransformOutput, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = str(tmp_path_factory.mktemp("exported") / "model")
    export(net, transform, path)
    return path


class Server:
    """Asks both signatures."""

    def __init__(self, path: str) -> None:
        self.loaded = tf.saved_model.load(path)

    def by_bytes(self, films: list[bytes]) -> Answer:
        serve = self.loaded.signatures[SIGNATURE_BYTES]
        return numpy(serve(**{IMAGE_BYTES: tf.constant(films, tf.string)}))

    def by_examples(self, films: list[bytes]) -> Answer:
        serve = self.loaded.signatures[SIGNATURE_EXAMPLES]
        return numpy(serve(**{EXAMPLES: tf.constant([example(film) for film in films], tf.string)}))


def numpy(answer: dict[str, tf.Tensor]) -> Answer:
    assert set(answer) == {PROBABILITY, THRESHOLD, LABEL_NAME}
    return {name: tensor.numpy() for name, tensor in answer.items()}


def example(film: bytes) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[film]))
    features = tf.train.Features(feature={IMAGE: value})
    return tf.train.Example(features=features).SerializeToString()


@pytest.fixture(scope="module")
def server(exported: str) -> Server:
    return Server(exported)


def test_both_signatures_give_what_the_net_gives(server: Server, expected: np.ndarray) -> None:
    for ask in (server.by_bytes, server.by_examples):
        answer = ask(FILMS)
        assert answer[PROBABILITY].dtype == np.float32
        assert answer[PROBABILITY].shape == (5,)
        np.testing.assert_allclose(answer[PROBABILITY], expected, atol=1e-6)
        for film, probability in zip(FILMS, expected, strict=True):
            alone = ask([film])
            assert alone[PROBABILITY].shape == (1,)
            np.testing.assert_allclose(alone[PROBABILITY], [probability], atol=1e-6)
        np.testing.assert_allclose(ask(FILMS[::-1])[PROBABILITY], expected[::-1], atol=1e-6)


def test_one_signature_equals_the_other(server: Server) -> None:
    for films in (FILMS[:1], FILMS):
        by_bytes, by_examples = server.by_bytes(films), server.by_examples(films)
        for name, value in by_bytes.items():
            np.testing.assert_array_equal(value, by_examples[name])


def test_an_example_may_hold_more_than_the_image(server: Server) -> None:
    record = tf.train.Example.FromString(example(FILMS[1]))
    record.features.feature[LABEL].int64_list.value.append(1)
    record.features.feature[FILE_NAME].bytes_list.value.append(b"train/NORMAL/1.jpeg")
    serve = server.loaded.signatures[SIGNATURE_EXAMPLES]
    answer = numpy(serve(**{EXAMPLES: tf.constant([record.SerializeToString()])}))
    np.testing.assert_array_equal(answer[PROBABILITY], server.by_bytes(FILMS[1:2])[PROBABILITY])


def test_labels_follow_from_a_threshold_of_a_half(server: Server, expected: np.ndarray) -> None:
    answer = server.by_bytes(FILMS)
    assert answer[THRESHOLD].dtype == np.float32
    assert answer[THRESHOLD].tolist() == [0.5] * 5
    wanted = [b"PNEUMONIA" if score >= 0.5 else b"NORMAL" for score in expected]
    assert set(wanted) == {b"PNEUMONIA", b"NORMAL"}
    assert answer[LABEL_NAME].tolist() == wanted


def test_a_score_at_the_threshold_is_positive(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    net = build_net()
    net.layers[-1].kernel.assign(tf.zeros_like(net.layers[-1].kernel))
    export(net, transform, str(tmp_path / "model"))
    answer = Server(str(tmp_path / "model")).by_bytes(FILMS[:2])
    assert answer[PROBABILITY].tolist() == [0.5, 0.5]
    assert answer[LABEL_NAME].tolist() == [b"PNEUMONIA", b"PNEUMONIA"]


def test_an_empty_request_gets_an_empty_answer(server: Server) -> None:
    for answer in (server.by_bytes([]), server.by_examples([])):
        assert {name: value.shape for name, value in answer.items()} == {
            PROBABILITY: (0,),
            THRESHOLD: (0,),
            LABEL_NAME: (0,),
        }


@pytest.mark.parametrize("broken", [b"", b"not an image", FILMS[0][: len(FILMS[0]) // 2]])
def test_a_broken_image_is_an_error_and_the_next_request_works(
    server: Server, expected: np.ndarray, broken: bytes
) -> None:
    for ask in (server.by_bytes, server.by_examples):
        for request in ([broken], [FILMS[0], broken, FILMS[1]]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                ask(request)
        np.testing.assert_allclose(ask(FILMS)[PROBABILITY], expected, atol=1e-6)


def test_an_example_without_an_image_is_an_error(server: Server) -> None:
    serve = server.loaded.signatures[SIGNATURE_EXAMPLES]
    with pytest.raises(tf.errors.InvalidArgumentError, match="image"):
        serve(**{EXAMPLES: tf.constant([tf.train.Example().SerializeToString()])})


def test_the_export_is_of_the_weights_at_that_moment(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    net = build_net()
    before = net_on_decoded_films(net)
    export(net, transform, str(tmp_path / "model"))
    net.layers[-1].bias.assign([3.0])
    answer = Server(str(tmp_path / "model")).by_bytes(FILMS)
    np.testing.assert_allclose(answer[PROBABILITY], before, atol=1e-6)


def test_another_threshold_changes_labels_and_no_probability(
    exported: str, server: Server, tmp_path: Path
) -> None:
    before = server.by_bytes(FILMS)
    # Between the two highest scores, so that one film is left.
    scores = np.sort(before[PROBABILITY])
    threshold = float(scores[-2:].astype(np.float64).mean())
    for number, value in enumerate((threshold, 0.0)):
        path = str(tmp_path / f"calibrated-{number}")
        save_calibrated(exported, path, value)
        calibrated = Server(path)
        for ask in (calibrated.by_bytes, calibrated.by_examples):
            answer = ask(FILMS)
            np.testing.assert_array_equal(answer[PROBABILITY], before[PROBABILITY])
            np.testing.assert_array_equal(answer[THRESHOLD], np.full(5, value, np.float32))
            positive = before[PROBABILITY] >= np.float32(value)
            assert positive.sum() == (1, 5)[number]
            np.testing.assert_array_equal(answer[LABEL_NAME] == b"PNEUMONIA", positive)
    # What was there stays as it was, and a calibrated model can be calibrated again.
    assert Server(exported).by_bytes(FILMS)[THRESHOLD].tolist() == [0.5] * 5
    save_calibrated(str(tmp_path / "calibrated-1"), str(tmp_path / "again"), 0.25)
    answer = Server(str(tmp_path / "again")).by_examples(FILMS)
    assert answer[THRESHOLD].tolist() == [0.25] * 5
    np.testing.assert_array_equal(answer[PROBABILITY], before[PROBABILITY])
