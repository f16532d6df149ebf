import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from components.shared.errors import InputError
from components.trainer import backbone as backbone_module
from components.trainer.backbone import Backbone, build_backbone, check_backbone, file_state

SIZE = 32
# Of ImageNet in blue, green and red, as Caffe's nets were trained.
MEANS = np.array([103.939, 116.779, 123.68], np.float32)
Layers = Callable[[keras.KerasTensor], keras.KerasTensor]


def pictures(number: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (number, SIZE, SIZE, 1)).astype(np.float32)


def outputs(
    net: Backbone | keras.Model, batch: np.ndarray, *, training: bool = False
) -> np.ndarray:
    if isinstance(net, Backbone):
        return np.asarray(net.tuned(net.frozen(batch, training=training), training=training))
    return np.asarray(net(batch, training=training))


def small_net(x: keras.KerasTensor) -> keras.KerasTensor:
    """As in ResNet50: convolution, BatchNorm, ReLU."""
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.layers.Activation("relu")(x)


def save(path: Path, layers: Layers, side: int | None = SIZE) -> keras.Model:
    keras.utils.set_random_seed(3)
    colour = keras.Input((side, side, 3))
    net = keras.Model(colour, layers(colour), name="resnet50")
    net.save(path)
    return net


@pytest.fixture
def net_file(tmp_path: Path) -> str:
    save(tmp_path / "net.keras", small_net)
    return str(tmp_path / "net.keras")


@pytest.fixture(scope="module")
def resnet() -> Backbone:
    return build_backbone("none", SIZE, seed=1)


def test_random_weights_follow_from_the_seed(resnet: Backbone) -> None:
    features = outputs(resnet, pictures())
    assert features.shape == (4, 2048)
    assert features.std() > 0
    again = build_backbone("none", SIZE, seed=1)
    np.testing.assert_array_equal(outputs(again, pictures()), features)
    other = build_backbone("none", SIZE, seed=2)
    assert not np.allclose(outputs(other, pictures()), features, rtol=0.1)


def test_resnet50_is_frozen_and_sees_each_film_for_itself(resnet: Backbone) -> None:
    assert resnet.frozen.trainable_weights == []
    assert resnet.frozen.input_shape == (None, SIZE, SIZE, 1)
    assert resnet.frozen.output_shape == resnet.tuned.input_shape == (None, 1, 1, 2048)
    assert resnet.tuned.variables == []
    batch = pictures()
    bright = np.concatenate([batch[:1], np.full_like(batch[1:], 255.0)])
    alone = outputs(resnet, batch[:1])
    scale = np.abs(alone).max()
    assert scale > 0
    for company in (batch, bright):
        for training in (False, True):
            together = outputs(resnet, company, training=training)[:1]
            np.testing.assert_allclose(together / scale, alone / scale, atol=1e-5)


def test_resnet50_gets_what_caffe_gave_it(resnet: Backbone) -> None:
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
    assert model.tuned.output_shape == (None, 4)
    np.testing.assert_allclose(outputs(model, pictures()), expected, rtol=1e-5, atol=1e-4)


def joined(net: Backbone, head: keras.layers.Layer) -> keras.Model:
    start = keras.Input(net.frozen.input_shape[1:])
    model = keras.Model(start, head(net.tuned(net.frozen(start))))
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    return model


def test_training_what_stands_on_it_leaves_it_as_it_is(net_file: str) -> None:
    net = build_backbone(net_file, SIZE, seed=1)
    before = [np.array(weight) for weight in net.frozen.get_weights()]
    features = outputs(net, pictures())
    head = keras.layers.Dense(1, activation="sigmoid")
    model = joined(net, head)
    assert len(model.trainable_weights) == 2
    kernel = np.array(head.kernel)
    model.fit(pictures(), np.array([0.0, 1.0, 0.0, 1.0]), epochs=2, batch_size=2, verbose=0)
    assert np.abs(np.array(head.kernel) - kernel).max() > 0
    assert len(before) == 6  # kernel, bias; gamma, beta, moving mean and variance
    assert net.tuned.get_weights() == []
    for weight, old in zip(net.frozen.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_array_equal(outputs(net, pictures()), features)
    np.testing.assert_allclose(outputs(net, pictures(), training=True), features, rtol=1e-6)


def two_stages(x: keras.KerasTensor) -> keras.KerasTensor:
    """Two stages, the second with a way around it, as ResNet50 has them."""
    x = small_net(x)
    y = keras.layers.Conv2D(4, 3, padding="same", name="second_conv")(x)
    y = keras.layers.BatchNormalization(name="second_norm")(y)
    y = keras.layers.Add(name="second_add")([x, y])
    return keras.layers.ReLU(name="second_out")(y)


def three_in_a_row(x: keras.KerasTensor) -> keras.KerasTensor:
    """The second stage is a net that serves as a layer."""
    start = keras.Input((15, 15, 4))
    y = keras.layers.Conv2D(4, 3, padding="same", name="second_conv")(start)
    y = keras.layers.BatchNormalization(name="second_norm")(y)
    stage = keras.Model(start, y, name="second")
    return keras.layers.Conv2D(2, 3, name="third")(stage(small_net(x)))


def in_a_list(x: keras.KerasTensor) -> keras.KerasTensor:
    layers = [
        keras.layers.Conv2D(4, 3, name="second_conv"),
        keras.layers.BatchNormalization(name="second_norm"),
    ]
    return keras.Sequential(layers, name="second")(small_net(x))


FIRST = ["conv/kernel", "conv/bias"]
SECOND = ["second_conv/kernel", "second_conv/bias"]
CUTS = [
    (two_stages, "second", (15, 15, 4), SECOND),
    (two_stages, "second_conv", (15, 15, 4), SECOND),
    (two_stages, "second_out", (15, 15, 4), []),
    (two_stages, "norm", (15, 15, 4), SECOND),
    (two_stages, "conv", (SIZE, SIZE, 3), FIRST + SECOND),
    (three_in_a_row, "second", (15, 15, 4), [*SECOND, "third/kernel", "third/bias"]),
    (three_in_a_row, "third", (15, 15, 4), ["third/kernel", "third/bias"]),
    (in_a_list, "second", (15, 15, 4), SECOND),
]


@pytest.mark.parametrize(("layers", "prefix", "boundary", "trained"), CUTS)
def test_what_begins_at_the_name_is_trained(
    tmp_path: Path, layers: Layers, prefix: str, boundary: tuple[int, ...], trained: list[str]
) -> None:
    path = str(tmp_path / "net.keras")
    net = save(tmp_path / "net.keras", layers)
    # Of BatchNorm, moving averages unlike the batch's, so that its mode makes a difference.
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign([3.0, -20.0, 0.5, 10.0])
            layer.moving_variance.assign([4.0, 900.0, 60.0, 2.0])
    net.save(path)
    cut = build_backbone(path, SIZE, seed=1, fine_tune=prefix)
    assert cut.frozen.trainable_weights == []
    assert cut.frozen.output_shape == cut.tuned.input_shape == (None, *boundary)
    assert [weight.path for weight in cut.tuned.trainable_weights] == trained
    expected = outputs(net, np.repeat(pictures(), 3, axis=-1) - MEANS).mean(axis=(1, 2))
    whole = outputs(build_backbone(path, SIZE, seed=1), pictures())
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-4)
    for training in (False, True):
        found = outputs(cut, pictures(), training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layers", [two_stages, three_in_a_row])
def test_training_changes_what_is_trained_and_nothing_else(tmp_path: Path, layers: Layers) -> None:
    save(tmp_path / "net.keras", layers)
    net = build_backbone(str(tmp_path / "net.keras"), SIZE, seed=1, fine_tune="second")
    weights = [*net.frozen.weights, *net.tuned.weights]
    before = {weight.path: np.array(weight) for weight in weights}
    trained = {weight.path for weight in net.tuned.trainable_weights}
    assert set(SECOND) <= trained
    assert {"norm/gamma", "norm/moving_mean", "second_norm/gamma", "second_norm/moving_mean"} <= (
        before.keys() - trained
    )
    model = joined(net, keras.layers.Dense(1, activation="sigmoid"))
    model.fit(pictures(), np.array([0.0, 1.0, 0.0, 1.0]), epochs=2, batch_size=2, verbose=0)
    for weight in weights:
        changed = bool(np.abs(np.array(weight) - before[weight.path]).max() > 0)
        assert changed is (weight.path in trained), weight.path


def test_resnet50_is_cut_before_its_last_stage(resnet: Backbone) -> None:
    cut = build_backbone("none", SIZE, seed=1, fine_tune="conv5")
    assert cut.frozen.output_shape == (None, 2, 2, 1024)
    assert cut.frozen.trainable_weights == []
    # Three blocks of three convolutions and one way around, kernel and bias each; no BatchNorm.
    names = [weight.path for weight in cut.tuned.trainable_weights]
    assert len(names) == 20
    assert all(name.startswith("conv5_") and "_conv/" in name for name in names)
    expected = outputs(resnet, pictures())
    for training in (False, True):
        found = outputs(cut, pictures(), training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=np.abs(expected).max() * 1e-5)


@pytest.mark.parametrize("fine_tune", [None, "second"])
def test_another_size_has_the_same_weights(tmp_path: Path, fine_tune: str | None) -> None:
    net = save(tmp_path / "net.keras", two_stages, side=None)
    cut = build_backbone(str(tmp_path / "net.keras"), SIZE, seed=1, fine_tune=fine_tune)
    other = cut.resized(20)
    assert (cut.frozen.input_shape, other.frozen.input_shape) == (
        (None, 32, 32, 1),
        (None, 20, 20, 1),
    )
    small = pictures()[:, :20, :20]

    def expected() -> np.ndarray:
        return outputs(net, np.repeat(small, 3, axis=-1) - MEANS).mean(axis=(1, 2))

    np.testing.assert_allclose(outputs(other, small), expected(), rtol=1e-4, atol=1e-4)
    # What is trained at one size is there at the other.
    if fine_tune:
        before = outputs(other, small)
        weight = cut.tuned.trainable_weights[0]
        weight.assign(np.array(weight) + 0.5)
        assert np.abs(outputs(other, small) - before).max() > 0.01
        assert [w.path for w in other.tuned.trainable_weights] == [
            w.path for w in cut.tuned.trainable_weights
        ]


def test_a_net_of_one_size_names_the_other(net_file: str) -> None:
    net = build_backbone(net_file, SIZE, seed=1)
    with pytest.raises(InputError, match=r"net.keras does not take pictures of 20 x 20 x 3"):
        net.resized(20)


def test_a_sequential_net_is_cut(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((SIZE, SIZE, 3)),
        keras.layers.Conv2D(4, 3, strides=2, name="first"),
        keras.layers.Conv2D(2, 3, name="second"),
    ]
    net = keras.Sequential(layers, name="resnet50")
    net.save(tmp_path / "net.keras")
    cut = build_backbone(str(tmp_path / "net.keras"), SIZE, seed=1, fine_tune="second")
    assert [weight.path for weight in cut.tuned.trainable_weights] == [
        "second/kernel",
        "second/bias",
    ]
    expected = outputs(net, np.repeat(pictures(), 3, axis=-1) - MEANS).mean(axis=(1, 2))
    np.testing.assert_allclose(outputs(cut, pictures()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fine_tune", [None, "second"])
def test_a_net_that_pools_itself(tmp_path: Path, fine_tune: str | None) -> None:
    def pooled(x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.GlobalMaxPooling2D()(two_stages(x))

    net = save(tmp_path / "net.keras", pooled)
    cut = build_backbone(str(tmp_path / "net.keras"), SIZE, seed=1, fine_tune=fine_tune)
    assert cut.frozen.output_shape == ((None, 4) if fine_tune is None else (None, 15, 15, 4))
    assert cut.tuned.output_shape == (None, 4)
    expected = outputs(net, np.repeat(pictures(), 3, axis=-1) - MEANS)
    np.testing.assert_allclose(outputs(cut, pictures()), expected, rtol=1e-4, atol=1e-4)


def cut_error(layers: Layers, path: Path, fine_tune: str) -> str:
    save(path, layers)
    with pytest.raises(InputError) as error:
        build_backbone(str(path), SIZE, seed=1, fine_tune=fine_tune)
    message = str(error.value)
    assert message.startswith(f"trainer.fine_tune is {fine_tune!r}, ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["conv9", "econd", "Second"])
def test_a_name_that_no_layer_begins_with(tmp_path: Path, name: str) -> None:
    message = cut_error(two_stages, tmp_path / "net.keras", name)
    assert "no layer of the backbone begins so" in message
    assert message.endswith("it can be cut at conv1, conv2, conv3, conv4, conv5.")


def test_a_place_where_two_ways_lead_past(tmp_path: Path) -> None:
    message = cut_error(two_stages, tmp_path / "net.keras", "second_norm")
    assert "cannot be cut: 2 tensors cross the cut, not one; it can at conv1, " in message
    assert "2 tensors cross" in cut_error(two_stages, tmp_path / "net.keras", "second_add")


def test_the_input_is_no_layer_to_train(tmp_path: Path) -> None:
    assert "0 tensors cross the cut" in cut_error(small_net, tmp_path / "net.keras", "input")


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
    assert f"{missing} is no file; give one of imagenet, none, ResNet50, ResNet50V2, " in check(
        missing
    )
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
    x = keras.layers.Conv2D(2, 3)(picture)
    keras.Model(picture, x, name="resnet50").save(tmp_path / "net.keras")
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

    def fake(include_top: bool, weights: str, input_shape: tuple[None, None, int]) -> keras.Model:
        asked.append((include_top, weights, input_shape))
        colour = keras.Input(input_shape)
        return keras.Model(colour, keras.layers.Conv2D(5, 3)(colour))

    monkeypatch.setattr(keras.applications, "ResNet50", fake)
    assert build_backbone("imagenet", SIZE, seed=1).tuned.output_shape == (None, 5)
    # Of no one size, since training may see another one than use does.
    assert asked == [(False, "imagenet", (None, None, 3))]


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
