import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from components.errors import InputError
from components.trainer import backbone as backbone_module
from components.trainer.backbone import build_backbone, check_backbone, file_state

SIZE = 32
# Of ImageNet in blue, green and red, as Caffe's nets were trained.
MEANS = np.array([103.939, 116.779, 123.68], np.float32)
Layers = Callable[[keras.KerasTensor], keras.KerasTensor]


def pictures(number: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (number, SIZE, SIZE, 1)).astype(np.float32)


def outputs(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return np.asarray(model(batch, training=False))


def small_net(x: keras.KerasTensor) -> keras.KerasTensor:
    """As in ResNet50: convolution, BatchNorm, ReLU."""
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.layers.Activation("relu")(x)


def save(path: Path, layers: Layers, side: int | None = SIZE) -> keras.Model:
    keras.utils.set_random_seed(3)
    colour = keras.Input((side, side, 3))
    net = keras.Model(colour, layers(colour))
    net.save(path)
    return net


@pytest.fixture
def net_file(tmp_path: Path) -> str:
    save(tmp_path / "net.keras", small_net)
    return str(tmp_path / "net.keras")


@pytest.fixture(scope="module")
def resnet() -> keras.Model:
    return build_backbone("none", SIZE, seed=1)


def test_random_weights_follow_from_the_seed(resnet: keras.Model) -> None:
    features = outputs(resnet, pictures())
    assert features.shape == (4, 2048)
    assert features.std() > 0
    again = build_backbone("none", SIZE, seed=1)
    np.testing.assert_array_equal(outputs(again, pictures()), features)
    other = build_backbone("none", SIZE, seed=2)
    assert not np.allclose(outputs(other, pictures()), features, rtol=0.1)


def test_resnet50_is_frozen_and_sees_each_film_for_itself(resnet: keras.Model) -> None:
    assert resnet.trainable_weights == []
    assert resnet.input_shape == (None, SIZE, SIZE, 1)
    batch = pictures()
    bright = np.concatenate([batch[:1], np.full_like(batch[1:], 255.0)])
    alone = outputs(resnet, batch[:1])
    scale = np.abs(alone).max()
    assert scale > 0
    for company in (batch, bright):
        for training in (False, True):
            together = np.asarray(resnet(company, training=training))[:1]
            np.testing.assert_allclose(together / scale, alone / scale, atol=1e-5)


def test_resnet50_gets_what_caffe_gave_it(resnet: keras.Model) -> None:
    keras.utils.set_random_seed(1)
    raw = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    batch = pictures()
    expected = outputs(raw, np.repeat(batch, 3, axis=-1) - MEANS)
    np.testing.assert_allclose(outputs(resnet, batch), expected, rtol=1e-5, atol=1e-5)


def test_grey_comes_out_thrice_less_the_means(tmp_path: Path) -> None:
    save(tmp_path / "as_is.keras", keras.layers.Activation("linear"))
    model = build_backbone(str(tmp_path / "as_is.keras"), SIZE, seed=1)
    grey = np.full((2, SIZE, SIZE, 1), [[[[200.0]]], [[[0.0]]]], np.float32)
    expected = [[96.061, 83.221, 76.32], [-103.939, -116.779, -123.68]]
    np.testing.assert_allclose(outputs(model, grey), expected, atol=1e-3)


def flat(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.GlobalMaxPooling2D()(small_net(x))


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(("layers", "pool"), [(small_net, np.mean), (flat, None)])
@pytest.mark.parametrize("side", [SIZE, None])
def test_a_file_serves_as_backbone(
    tmp_path: Path, ending: str, layers: Layers, pool: Callable | None, side: int | None
) -> None:
    net = save(tmp_path / f"net.{ending}", layers, side)
    model = build_backbone(str(tmp_path / f"net.{ending}"), SIZE, seed=1)
    expected = outputs(net, np.repeat(pictures(), 3, axis=-1) - MEANS)
    if pool is not None:
        expected = pool(expected, axis=(1, 2))
    assert model.output_shape == (None, 4)
    np.testing.assert_allclose(outputs(model, pictures()), expected, rtol=1e-5, atol=1e-4)


def test_training_what_stands_on_it_leaves_it_as_it_is(net_file: str) -> None:
    model = build_backbone(net_file, SIZE, seed=1)
    before = [np.array(weight) for weight in model.get_weights()]
    features = outputs(model, pictures())
    head = keras.layers.Dense(1, activation="sigmoid")
    joined = keras.Model(model.input, head(model.output))
    joined.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    assert len(joined.trainable_weights) == 2
    kernel = np.array(head.kernel)
    joined.fit(pictures(), np.array([0.0, 1.0, 0.0, 1.0]), epochs=2, batch_size=2, verbose=0)
    assert np.abs(np.array(head.kernel) - kernel).max() > 0
    assert len(before) == 6  # kernel, bias; gamma, beta, moving mean and variance
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_array_equal(outputs(model, pictures()), features)
    np.testing.assert_allclose(np.asarray(model(pictures(), training=True)), features, rtol=1e-6)


def message_of(error: pytest.ExceptionInfo[InputError]) -> str:
    message = str(error.value)
    assert message.startswith("trainer.backbone")
    assert "\n" not in message
    return message


def build(path: Path) -> str:
    with pytest.raises(InputError) as error:
        build_backbone(str(path), SIZE, seed=1)
    message = message_of(error)
    assert str(path) in message
    return message


def check(path: Path) -> str:
    with pytest.raises(InputError) as error:
        check_backbone(str(path))
    return message_of(error)


def test_a_missing_file_is_named_early(tmp_path: Path) -> None:
    missing = tmp_path / "missing.keras"
    assert f"{missing} is no file; give 'imagenet', 'none' or a" in check(missing)
    assert build(missing) == check(missing)
    assert f"{tmp_path} is no file" in check(tmp_path)


def test_a_truncated_file_is_named_early(net_file: str) -> None:
    data = Path(net_file).read_bytes()
    for length in (0, len(data) // 2, len(data) - 1):
        Path(net_file).write_bytes(data[:length])
        assert f"{net_file} is no complete .keras file" in check(Path(net_file))
        assert build(Path(net_file)) == check(Path(net_file))


def test_a_file_with_a_changed_byte_is_named_early(net_file: str) -> None:
    data = bytearray(Path(net_file).read_bytes())
    with zipfile.ZipFile(net_file) as archive:
        weights = archive.getinfo("model.weights.h5")
    data[weights.header_offset + weights.compress_size // 2] ^= 255
    Path(net_file).write_bytes(data)
    message = f"{net_file} is damaged: model.weights.h5 fails its checksum"
    assert message in check(Path(net_file))
    assert message in build(Path(net_file))


def test_a_text_named_keras_is_named_early(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_text("not a net")
    assert f"{path} is no complete .keras file" in check(path)
    assert build(path) == check(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not a net")
    assert "Keras cannot load" in build(path)


@pytest.mark.parametrize("name", ["net.h5", "net.hdf5", "net.bin", "net"])
def test_garbage_under_another_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "Keras cannot load" in build(path)


def test_a_file_of_weights_alone(tmp_path: Path) -> None:
    net = save(tmp_path / "net.keras", small_net)
    net.save_weights(tmp_path / "net.weights.h5")
    assert "Keras cannot load" in build(tmp_path / "net.weights.h5")


def test_a_net_for_pictures_of_another_size(tmp_path: Path) -> None:
    save(tmp_path / "net.keras", small_net, side=48)
    message = build(tmp_path / "net.keras")
    assert "does not take pictures of 32 x 32 x 3: it expects (None, 48, 48, 3)" in message


@pytest.mark.parametrize("channels", [1, 4])
def test_a_net_for_pictures_of_other_channels(tmp_path: Path, channels: int) -> None:
    picture = keras.Input((SIZE, SIZE, channels))
    keras.Model(picture, keras.layers.Conv2D(2, 3)(picture)).save(tmp_path / "net.keras")
    assert f"it expects (None, 32, 32, {channels})" in build(tmp_path / "net.keras")


def test_a_net_of_two_inputs_or_outputs(tmp_path: Path) -> None:
    left, right = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    keras.Model([left, right], keras.layers.Add()([left, right])).save(tmp_path / "in.keras")
    assert "holds no built net of one input and one output" in build(tmp_path / "in.keras")
    ways = [keras.layers.ReLU()(left), keras.layers.ELU()(left)]
    keras.Model(left, ways).save(tmp_path / "out.keras")
    assert "holds no built net of one input and one output" in build(tmp_path / "out.keras")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_net_that_was_saved_before_it_had_weights(tmp_path: Path) -> None:
    keras.Sequential([keras.layers.Conv2D(2, 3)]).save(tmp_path / "net.keras")
    assert "holds no built net" in build(tmp_path / "net.keras")


def test_a_net_that_gives_three_dimensions(tmp_path: Path) -> None:
    save(tmp_path / "net.keras", keras.layers.Reshape((SIZE * SIZE, 3)))
    message = build(tmp_path / "net.keras")
    assert "gives (None, 1024, 3), which is neither (N, H, W, C) nor (N, C)" in message


def refuse(**_: object) -> keras.Model:
    raise OSError("URL fetch failure on https://storage.example: None -- refused")


@pytest.mark.parametrize(
    "act", [check_backbone, lambda name: build_backbone(name, SIZE, seed=1)], ids=["check", "build"]
)
def test_a_failed_download_names_the_way_out(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[str], object]
) -> None:
    monkeypatch.setattr(keras.applications, "ResNet50", refuse)
    with pytest.raises(InputError) as error:
        act("imagenet")
    message = message_of(error)
    for part in (
        "trainer.backbone is 'imagenet'",
        "URL fetch failure",
        "path of a Keras model file",
        os.path.expanduser("~/.keras/models"),
        "'none'",
    ):
        assert part in message


def test_imagenet_asks_keras_for_its_weights_without_the_top(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def fake(include_top: bool, weights: str, input_shape: tuple[int, int, int]) -> keras.Model:
        asked.append((include_top, weights, input_shape))
        colour = keras.Input(input_shape)
        return keras.Model(colour, keras.layers.Conv2D(5, 3)(colour))

    monkeypatch.setattr(keras.applications, "ResNet50", fake)
    assert build_backbone("imagenet", SIZE, seed=1).output_shape == (None, 5)
    assert asked == [(False, "imagenet", (SIZE, SIZE, 3))]


def test_checking_random_weights_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone_module.keras.applications, "ResNet50", refuse)
    check_backbone("none")


def test_a_whole_file_passes_the_check(net_file: str) -> None:
    check_backbone(net_file)


def test_the_state_of_a_file_changes_with_it(net_file: str) -> None:
    state = file_state(net_file)
    assert state == file_state(net_file)
    stat = os.stat(net_file)
    os.utime(net_file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    touched = file_state(net_file)
    assert touched != state
    with open(net_file, "ab") as file:
        file.write(b"\0")
    os.utime(net_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file_state(net_file) not in (state, touched)
    assert file_state("none") is None
