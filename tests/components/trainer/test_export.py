import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from scipy.special import expit
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.evaluator.executor import save_calibrated
from components.shared.features import (
    EXAMPLES,
    FILE_NAME,
    HEATMAP,
    IMAGE,
    IMAGE_BYTES,
    LABEL,
    LABEL_NAME,
    MODEL_VERSION,
    PATIENT,
    PROBABILITY,
    REFUSAL,
    SEEN_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_EXAMPLES,
    SIGNATURE_EXPLAIN,
    SQUASHED,
    SUBTYPE,
    THRESHOLD,
)
from components.shared.limits import FilmLimits
from components.shared.record import spec
from components.trainer.export import export
from components.trainer.model import Net
from components.trainer.targets import pneumonia_logit
from components.transform.preprocessing import preprocess_film, preprocessing_fn
from support.films import encode, tiny_film
from support.written_examples import example_of

SIZE = 32
# Of the middle that the net sees: two rows are left out before it, and three after.
SEEN = 27
CELLS = 12  # a side of its maps
Answer = dict[str, np.ndarray]
Layers = Callable[[keras.KerasTensor], keras.KerasTensor]
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
    names = (IMAGE, SUBTYPE, PATIENT, FILE_NAME, LABEL, SQUASHED)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec(*names)))
    row = dict(zip(names, (FILMS[0], b"normal", b"p", b"f", 0, 1.0), strict=True))
    config = {"input_size": SIZE, "square": "pad", "limits": FilmLimits().model_dump()}
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        function = ([row], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = function | tft_beam.WriteTransformFn(str(folder / "output"))
    output = tft.TFTransformOutput(str(folder / "output"))
    assert set(output.transformed_feature_spec()) == {*names, REFUSAL}
    return output


def linear(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pooling and one layer, whose Grad-CAM can be told by hand."""
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.layers.Dense(1, name="logit")(x)


def three_classes(x: keras.KerasTensor) -> keras.KerasTensor:
    x = keras.layers.Dense(6, activation="tanh")(keras.layers.GlobalMaxPooling2D()(x))
    return pneumonia_logit(keras.layers.Dense(3, name="classes")(x))


def build_net(head: Layers = linear) -> Net:
    keras.utils.set_random_seed(2)
    grey = keras.Input((SEEN, SEEN, 1))
    x = keras.layers.Rescaling(1 / 255.0)(grey)
    x = keras.layers.Conv2D(8, 5, strides=2)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    start = keras.Input(x.shape[1:])
    return Net(keras.Model(grey, x), keras.Model(start, head(start)))


def pictures() -> list[np.ndarray]:
    """What the net sees of the films, by Transform's function as it stands in the code."""
    small = [preprocess_film(tf.constant(film), SIZE, "pad") for film in FILMS]
    decoded = [tf.io.decode_png(png).numpy() for png in small]
    assert {picture.shape for picture in decoded} == {(SIZE, SIZE, 1)}
    return [picture[2:29, 2:29] for picture in decoded]


def maps_of(net: Net) -> list[np.ndarray]:
    """One film at a time, [1, h, w, C]."""
    seen = [picture[np.newaxis].astype(np.float32) for picture in pictures()]
    return [np.asarray(net.feature_maps(picture, training=False)) for picture in seen]


def net_on_decoded_films(net: Net) -> np.ndarray:
    logits = [float(net.log_odds(maps, training=False)[0, 0]) for maps in maps_of(net)]
    return expit(np.array(logits))


@pytest.fixture(scope="module")
def net() -> Net:
    """Gives the films probabilities on both sides of a half."""
    net = build_net()
    scores = net_on_decoded_films(net)
    assert np.ptp(scores) > 0.005
    logits = np.log(scores / (1 - scores))
    net.log_odds.layers[-1].bias.assign([-np.median(logits) + 1e-4])
    return net


@pytest.fixture(scope="module")
def expected(net: Net) -> np.ndarray:
    return net_on_decoded_films(net)


@pytest.fixture(scope="module")
def exported(
    net: Net, transform: tft.TFTransformOutput, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = str(tmp_path_factory.mktemp("exported") / "model")
    export(net, transform, SIZE, path)
    return path


class Server:
    """Asks the signatures."""

    def __init__(self, path: str) -> None:
        self.loaded = tf.saved_model.load(path)

    def by_bytes(self, films: list[bytes]) -> Answer:
        serve = self.loaded.signatures[SIGNATURE_BYTES]
        return numpy(serve(**{IMAGE_BYTES: tf.constant(films, tf.string)}))

    def by_examples(self, films: list[bytes]) -> Answer:
        serve = self.loaded.signatures[SIGNATURE_EXAMPLES]
        return numpy(
            serve(**{EXAMPLES: tf.constant([example_of(film) for film in films], tf.string)})
        )

    def explained(self, films: list[bytes]) -> Answer:
        explain = self.loaded.signatures[SIGNATURE_EXPLAIN]
        answer = explain(**{IMAGE_BYTES: tf.constant(films, tf.string)})
        return numpy(answer, HEATMAP, SEEN_BYTES)


def numpy(answer: dict[str, tf.Tensor], *more: str) -> Answer:
    assert set(answer) == {PROBABILITY, THRESHOLD, LABEL_NAME, MODEL_VERSION, *more}
    return {name: tensor.numpy() for name, tensor in answer.items()}


@pytest.fixture(scope="module")
def server(exported: str) -> Server:
    return Server(exported)


def test_both_signatures_give_what_the_net_gives(server: Server, expected: np.ndarray) -> None:
    for ask in (server.by_bytes, server.by_examples, server.explained):
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
    record = tf.train.Example.FromString(example_of(FILMS[1]))
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
    kernel = net.log_odds.layers[-1].kernel
    kernel.assign(tf.zeros_like(kernel))
    export(net, transform, SIZE, str(tmp_path / "model"))
    server = Server(str(tmp_path / "model"))
    for answer in (server.by_bytes(FILMS[:2]), server.explained(FILMS[:2])):
        assert answer[PROBABILITY].tolist() == [0.5, 0.5]
        assert answer[LABEL_NAME].tolist() == [b"PNEUMONIA", b"PNEUMONIA"]
    # What has no slope has no heat.
    assert not answer[HEATMAP].any()


def test_an_empty_request_gets_an_empty_answer(server: Server) -> None:
    for answer in (server.by_bytes([]), server.by_examples([])):
        assert {name: value.shape for name, value in answer.items()} == {
            PROBABILITY: (0,),
            THRESHOLD: (0,),
            LABEL_NAME: (0,),
            MODEL_VERSION: (0,),
        }
    answer = server.explained([])
    assert answer[HEATMAP].size == 0
    assert answer[SEEN_BYTES].shape == answer[PROBABILITY].shape == (0,)


BLANK = encode(np.full((40, 40), 90, np.uint8), ".png")
NO_IMAGE = "holds no image that can be decoded"
BROKEN = {
    b"": NO_IMAGE,
    b"not an image": NO_IMAGE,
    FILMS[0][: len(FILMS[0]) // 2]: NO_IMAGE,
    FILMS[2][: len(FILMS[2]) // 2]: NO_IMAGE,
}
REFUSED = {
    BLANK: "is blank: the grey level varies by 0.0000 of the range only",
    encode(tiny_film(5, height=31), ".png"): "has 48 x 31 pixels: a side is under 32",
    encode(tiny_film(5, height=33, width=133)): "has 133 x 33 pixels: longer than 4 to 1",
}


def complaint(serve: Any, argument: str, rows: list[bytes]) -> str:
    """What the client of a signature is told."""
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        serve(**{argument: tf.constant(rows)})
    found = re.search(r"assertion failed: \[(.*)\]", caught.value.message)
    assert found
    assert "not an image" not in caught.value.message
    return found[1]


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (SIGNATURE_BYTES, IMAGE_BYTES),
        (SIGNATURE_EXPLAIN, IMAGE_BYTES),
        (SIGNATURE_EXAMPLES, EXAMPLES),
    ],
)
def test_an_error_names_the_first_broken_row_and_the_next_request_works(
    server: Server, name: str, argument: str
) -> None:
    serve = server.loaded.signatures[name]

    def told(films: list[bytes]) -> str:
        rows = [example_of(film) for film in films] if argument == EXAMPLES else films
        return complaint(serve, argument, rows)

    refused = REFUSED if argument == IMAGE_BYTES else {}
    for broken, reason in (BROKEN | refused).items():
        for request, row in (
            ([broken], 0),
            ([*FILMS, broken], 5),
            ([FILMS[0], broken, FILMS[1], broken], 1),
            ([broken] * 3, 0),
        ):
            assert told(request) == f"{argument}[{row}] {reason}"
    if argument == EXAMPLES:
        # As the evaluator asks it, of films that it changed.
        assert serve(examples=tf.constant([example_of(film) for film in REFUSED]))
    # What the message says is enough to be answered.
    assert server.by_bytes(FILMS)[PROBABILITY].shape == (5,)


def test_an_error_names_the_record_that_is_no_example_with_an_image(server: Server) -> None:
    serve, good = server.loaded.signatures[SIGNATURE_EXAMPLES], example_of(FILMS[0])
    twice = tf.train.Example.FromString(good)
    twice.features.feature[IMAGE].bytes_list.value.append(FILMS[1])
    for bad in (
        b"not an image",  # nor an Example
        tf.train.Example().SerializeToString(),
        twice.SerializeToString(),
    ):
        wanted = "examples[2] is no tf.train.Example with the feature image"
        # Said before anything of films that are no images.
        assert complaint(serve, EXAMPLES, [good, example_of(b""), bad, good]) == wanted


def test_a_session_names_the_row_too(exported: str) -> None:
    """TensorFlow Serving runs the graph in a session, not as a function."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], exported)
        signature = meta.signature_def[SIGNATURE_BYTES]
        fetch = signature.outputs[PROBABILITY].name
        feed = signature.inputs[IMAGE_BYTES].name
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\] is blank"):
            session.run(fetch, {feed: [FILMS[0], BLANK]})
        assert session.run(fetch, {feed: FILMS}).shape == (5,)


def test_the_export_is_of_the_weights_at_that_moment(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    net = build_net()
    before = net_on_decoded_films(net)
    export(net, transform, SIZE, str(tmp_path / "model"))
    net.log_odds.layers[-1].bias.assign([3.0])
    answer = Server(str(tmp_path / "model")).by_bytes(FILMS)
    np.testing.assert_allclose(answer[PROBABILITY], before, atol=1e-6)


def test_an_explanation_comes_with_the_answer(server: Server) -> None:
    for films in (FILMS[:1], FILMS):
        by_bytes, explained = server.by_bytes(films), server.explained(films)
        np.testing.assert_allclose(explained[PROBABILITY], by_bytes[PROBABILITY], atol=1e-6)
        for name in (THRESHOLD, LABEL_NAME):
            np.testing.assert_array_equal(explained[name], by_bytes[name])


def test_the_heat_of_pooling_and_one_layer_by_hand(server: Server, net: Net) -> None:
    # The slope of the logit is the same in all cells: the layer's weight over their number.
    kernel = np.array(net.log_odds.layers[-1].kernel)[:, 0]
    assert kernel.min() < 0.0 < kernel.max()
    found = server.explained(FILMS)[HEATMAP]
    assert found.dtype == np.float32
    assert found.shape == (5, CELLS, CELLS)
    for heat, maps in zip(found, maps_of(net), strict=True):
        speaks = maps[0] @ kernel
        assert speaks.max() > 0.0
        np.testing.assert_allclose(heat, np.maximum(speaks, 0.0) / speaks.max(), atol=1e-4)
        assert heat.max() == pytest.approx(1.0)
    assert found.min() == 0.0


def grad_cam(net: Net, maps: np.ndarray) -> np.ndarray:
    """Selvaraju et al. 2017, equations 1 and 2, of one film."""
    given = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(given)
        logit = net.log_odds(given, training=False)
    weights = tape.gradient(logit, given).numpy()[0].sum(axis=(0, 1)) / CELLS**2
    heat = np.zeros((CELLS, CELLS))
    for channel, weight in enumerate(weights):
        heat += weight * maps[0, :, :, channel]
    heat[heat < 0.0] = 0.0
    return heat


def test_the_heat_of_another_head_is_grad_cam(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    net = build_net(three_classes)
    kernel = net.log_odds.get_layer("classes").kernel
    kernel.assign(-kernel)
    export(net, transform, SIZE, str(tmp_path / "model"))
    server = Server(str(tmp_path / "model"))
    np.testing.assert_allclose(
        server.by_bytes(FILMS)[PROBABILITY], net_on_decoded_films(net), atol=1e-6
    )
    wanted = [grad_cam(net, maps) for maps in maps_of(net)]
    assert min(heat.max() for heat in wanted) > 0.0
    together = server.explained(FILMS)[HEATMAP]
    for film, heat, found in zip(FILMS, wanted, together, strict=True):
        np.testing.assert_allclose(found, heat / (heat.max() or 1.0), atol=1e-4)
        np.testing.assert_allclose(server.explained([film])[HEATMAP][0], found, atol=1e-4)


def test_what_speaks_against_pneumonia_alone_has_no_heat(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    net = build_net()
    kernel = net.log_odds.layers[-1].kernel
    kernel.assign(-tf.abs(kernel))
    export(net, transform, SIZE, str(tmp_path / "model"))
    assert not Server(str(tmp_path / "model")).explained(FILMS)[HEATMAP].any()


def test_the_heat_lies_on_the_middle_of_the_picture(server: Server) -> None:
    answer = server.explained(FILMS)
    assert answer[SEEN_BYTES].shape == (5,)
    for data, picture in zip(answer[SEEN_BYTES], pictures(), strict=True):
        assert data.startswith(b"\x89PNG")
        np.testing.assert_array_equal(tf.io.decode_png(data), picture)


def test_a_net_that_sees_the_whole_picture(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    grey = keras.Input((SIZE, SIZE, 1))
    start = keras.Input((SIZE, SIZE, 1))
    net = Net(
        keras.Model(grey, keras.layers.Rescaling(1 / 255.0)(grey)),
        keras.Model(start, keras.layers.Dense(1)(keras.layers.Flatten()(start[:, :1, :1]))),
    )
    export(net, transform, SIZE, str(tmp_path / "model"))
    (seen,) = Server(str(tmp_path / "model")).explained(FILMS[:1])[SEEN_BYTES]
    whole = tf.io.decode_png(preprocess_film(tf.constant(FILMS[0]), SIZE, "pad"))
    np.testing.assert_array_equal(tf.io.decode_png(seen), whole)


def test_a_net_that_pools_itself_does_not_explain(
    transform: tft.TFTransformOutput, tmp_path: Path
) -> None:
    whole = build_net()
    pooled = keras.layers.GlobalAveragePooling2D()(whole.feature_maps.output)
    start = keras.Input((8,))
    net = Net(
        keras.Model(whole.feature_maps.input, pooled),
        keras.Model(start, whole.log_odds.layers[-1](start)),
    )
    export(net, transform, SIZE, str(tmp_path / "model"))
    server = Server(str(tmp_path / "model"))
    assert set(server.loaded.signatures) == {SIGNATURE_BYTES, SIGNATURE_EXAMPLES}
    expected = net_on_decoded_films(whole)
    np.testing.assert_allclose(server.by_bytes(FILMS)[PROBABILITY], expected, atol=1e-6)
    save_calibrated(tf.saved_model.load(str(tmp_path / "model")), str(tmp_path / "calibrated"), 0.3)
    calibrated = Server(str(tmp_path / "calibrated"))
    assert set(calibrated.loaded.signatures) == {SIGNATURE_BYTES, SIGNATURE_EXAMPLES}
    assert calibrated.by_bytes(FILMS[:1])[THRESHOLD].tolist() == [np.float32(0.3)]


def test_another_threshold_changes_labels_and_no_probability(
    exported: str, server: Server, tmp_path: Path
) -> None:
    before, heat = server.by_bytes(FILMS), server.explained(FILMS)
    # Between the two highest scores, so that one film is left.
    scores = np.sort(before[PROBABILITY])
    threshold = float(scores[-2:].astype(np.float64).mean())
    for number, value in enumerate((threshold, 0.0)):
        path = str(tmp_path / f"calibrated-{number}")
        save_calibrated(tf.saved_model.load(exported), path, value)
        calibrated = Server(path)
        explained = calibrated.explained(FILMS)
        for name in (HEATMAP, SEEN_BYTES):
            np.testing.assert_array_equal(explained[name], heat[name])
        for answer in (calibrated.by_bytes(FILMS), calibrated.by_examples(FILMS), explained):
            np.testing.assert_allclose(answer[PROBABILITY], before[PROBABILITY], atol=1e-6)
            np.testing.assert_array_equal(answer[THRESHOLD], np.full(5, value, np.float32))
            positive = before[PROBABILITY] >= np.float32(value)
            assert positive.sum() == (1, 5)[number]
            np.testing.assert_array_equal(answer[LABEL_NAME] == b"PNEUMONIA", positive)
    # What was there stays as it was, and a calibrated model can be calibrated again.
    assert Server(exported).by_bytes(FILMS)[THRESHOLD].tolist() == [0.5] * 5
    save_calibrated(
        tf.saved_model.load(str(tmp_path / "calibrated-1")), str(tmp_path / "again"), 0.25
    )
    answer = Server(str(tmp_path / "again")).by_examples(FILMS)
    assert answer[THRESHOLD].tolist() == [0.25] * 5
    np.testing.assert_array_equal(answer[PROBABILITY], before[PROBABILITY])


def test_a_model_says_which_version_it_is(exported: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_calibrated(tf.saved_model.load(exported), str(path), 0.5)
    assert Server(str(path)).by_bytes(FILMS[:2])[MODEL_VERSION].tolist() == [b"not pushed"] * 2
    (path / "assets" / "model_version.txt").write_text("1795528462")
    server = Server(str(path))
    for ask in (server.by_bytes, server.by_examples, server.explained):
        assert ask(FILMS[:2])[MODEL_VERSION].tolist() == [b"1795528462"] * 2
