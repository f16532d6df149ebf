"""What every registered backbone has to pass."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.shared.errors import InputError
from components.trainer import backbone
from components.trainer.backbone import build_backbone
from components.trainer.backbones import BACKBONES, build, recognised
from components.trainer.folding import fold
from components.trainer.frozen import freeze
from components.trainer.model import chained
from components.trainer.settings import NAMED_WEIGHTS

SIZE = 64
# Of ImageNet, red first: Caffe's of 255, torchvision's of 1.
CAFFE = np.array([123.68, 116.779, 103.939])
TORCH_MEAN, TORCH_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# What each net was trained on, of pictures of 0 to 255; and its module of keras.applications.
INPUTS = {
    "ResNet50": (lambda x: (x - CAFFE)[..., ::-1], "resnet50"),
    "ResNet50V2": (lambda x: x / 127.5 - 1.0, "resnet_v2"),
    "DenseNet121": (lambda x: (x / 255.0 - TORCH_MEAN) / TORCH_STD, "densenet"),
    "EfficientNetV2B0": (lambda x: x, "efficientnet_v2"),
    "ConvNeXtTiny": (lambda x: x, "convnext"),
}
CHANNELS = {
    "ResNet50": 2048,
    "ResNet50V2": 2048,
    "DenseNet121": 1024,
    "EfficientNetV2B0": 1280,
    "ConvNeXtTiny": 768,
}


class Built(NamedTuple):
    name: str
    raw: keras.Model  # as keras.applications builds it
    features: np.ndarray  # what it gives for `pictures`


@pytest.fixture(scope="module", params=list(BACKBONES))
def built(request: pytest.FixtureRequest) -> Built:
    """A net of random weights, whose BatchNorm is not as it starts."""
    keras.utils.set_random_seed(1)
    raw = build(request.param, None)
    rng = np.random.default_rng(0)
    for layer in raw._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(0.0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, layer.moving_variance.shape))
    by_hand, _ = INPUTS[request.param]
    colour = by_hand(np.repeat(pictures(), 3, axis=-1)).astype(np.float32)
    maps = np.asarray(raw(colour, training=False))
    return Built(request.param, raw, maps.mean(axis=(1, 2)))


@pytest.fixture
def no_download(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has Keras' weights be those of `built`."""

    def fresh(name: str, weights: str | None) -> keras.Model:
        built.raw.trainable = True  # as after a download
        return built.raw

    monkeypatch.setattr(backbone, "build", fresh)


def pictures() -> np.ndarray:
    values = np.random.default_rng(3).integers(0, 256, (2, SIZE, SIZE, 1))
    return values.astype(np.float32)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_settings_name_what_is_registered() -> None:
    assert ("imagenet", "none", *BACKBONES) == NAMED_WEIGHTS
    assert set(INPUTS) == set(CHANNELS) == set(BACKBONES)


@pytest.mark.parametrize("name", BACKBONES)
def test_pictures_are_what_the_net_was_trained_on(name: str) -> None:
    by_hand, module = INPUTS[name]
    colour = np.repeat(pictures(), 3, axis=-1)
    colour[..., 1] /= 2.0  # so that the order of the channels shows
    start = keras.Input((SIZE, SIZE, 3))
    found = keras.Model(start, keras.layers.Identity()(BACKBONES[name].preprocess(start)))(colour)
    np.testing.assert_allclose(found, by_hand(colour), atol=1e-4)
    keras_own = getattr(keras.applications, module).preprocess_input(colour.copy())
    np.testing.assert_allclose(found, keras_own, atol=1e-4)


@pytest.mark.usefixtures("no_download")
def test_a_registered_net_gives_its_features_folded_and_frozen(built: Built) -> None:
    net = build_backbone(built.name, SIZE, seed=1)
    assert net.frozen.input_shape == (None, SIZE, SIZE, 1)
    assert net.tuned.output_shape == (None, CHANNELS[built.name])
    assert net.frozen.trainable_weights == net.tuned.trainable_weights == []
    assert recognised(built.raw, "net.keras") is net.architecture is BACKBONES[built.name]
    # Folded and frozen, as it is trained on and served: what cannot be folded must be right too.
    folded = fold(chained(net.frozen, net.tuned))
    assert_close(freeze(folded)(tf.constant(pictures())).numpy(), built.features)


@pytest.mark.usefixtures("no_download")
def test_a_registered_net_can_be_cut_at_each_of_its_stages(built: Built) -> None:
    stages = BACKBONES[built.name].stages
    trained = []
    for stage in stages:
        net = build_backbone(built.name, SIZE, seed=1, fine_tune=stage)
        assert net.frozen.trainable_weights == []
        norms = [
            layer
            for layer in net.tuned._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        assert not any(layer.trainable for layer in norms)
        trained.append(len(net.tuned.trainable_weights))
        if stage in (stages[0], stages[-1]):
            cut = net.frozen(pictures(), training=False)
            assert_close(np.asarray(net.tuned(cut, training=False)), built.features)
    # The later the cut, the less is trained, and never nothing.
    assert trained == sorted(set(trained), reverse=True)
    assert trained[-1] > 0


def test_a_file_says_which_net_it_is(tmp_path: Path) -> None:
    path = str(tmp_path / "net.keras")
    build("ConvNeXtTiny", None).save(path)  # has a class of layers of its own
    assert build_backbone(path, SIZE, seed=1).architecture is BACKBONES["ConvNeXtTiny"]


@pytest.mark.parametrize("name", ["resnet50", "resnet50_v1_5"])
def test_both_forms_of_resnet50_are_one_net(name: str) -> None:
    start = keras.Input((SIZE, SIZE, 3))
    net = keras.Model(start, keras.layers.ReLU()(start), name=name)
    assert recognised(net, "net.keras") is BACKBONES["ResNet50"]


def test_a_net_that_is_not_registered_is_named(tmp_path: Path) -> None:
    start = keras.Input((SIZE, SIZE, 3))
    path = str(tmp_path / "net.keras")
    keras.Model(start, keras.layers.Conv2D(2, 3)(start), name="vgg16").save(path)
    with pytest.raises(InputError) as error:
        build_backbone(path, SIZE, seed=1)
    assert str(error.value) == (
        f"trainer.backbone: the net in {path} is named 'vgg16', so that nobody knows what pictures "
        "it expects: a net that can be used is named resnet50, resnet50_v1_5, resnet50v2, "
        "densenet121, efficientnetv2-b0, convnext_tiny."
    )


@pytest.mark.parametrize(
    ("name", "scaled", "words"),
    [
        ("efficientnetv2-b0", False, "without a layer"),
        ("resnet50", True, "with a layer of its own"),
    ],
)
def test_a_net_that_expects_other_pictures_than_its_namesake(
    name: str, scaled: bool, words: str
) -> None:
    start = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255.0)(start) if scaled else start
    net = keras.Model(start, keras.layers.Conv2D(2, 3)(x), name=name)
    with pytest.raises(InputError, match=f"^trainer.backbone: the net in a.h5 is a {name} {words}"):
        recognised(net, "a.h5")
