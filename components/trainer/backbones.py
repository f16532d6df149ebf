"""The nets that may stand under the head: a new one is an entry here and a name in the settings.

See Also:
    https://keras.io/api/applications/
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
from keras import applications

from components.shared.errors import InputError

# Of the setting `trainer.backbone`: without another name it is this one.
DEFAULT = "ResNet50"
LEAST = 32  # pixels of a picture's side; keras.applications takes none smaller
_SCALING = (keras.layers.Rescaling, keras.layers.Normalization)


class Architecture(NamedTuple):
    """A net of keras.applications, without its top.

    Attributes:
        preprocess: from colour pictures, float32 [N, S, S, 3], red first, 0 to 255, to what the net
            takes.
        stages: how the names of layers begin at which the net can be cut, first to last.
        models: the names that Keras models of it have.
        scales: whether the net itself scales the pictures.
    """

    preprocess: Callable[[keras.KerasTensor], keras.KerasTensor]
    stages: tuple[str, ...]
    models: tuple[str, ...]
    scales: bool = False


def _numbered(stem: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{stem}{number}" for number in range(first, last + 1))


BACKBONES: Mapping[str, Architecture] = {
    DEFAULT: Architecture(
        applications.resnet50.preprocess_input,
        _numbered("conv", 1, 5),
        # v1.5 has the same layers, the strides in others of them.
        ("resnet50", "resnet50_v1_5"),
    ),
    "ResNet50V2": Architecture(
        applications.resnet_v2.preprocess_input, _numbered("conv", 1, 5), ("resnet50v2",)
    ),
    "DenseNet121": Architecture(
        applications.densenet.preprocess_input, _numbered("conv", 1, 5), ("densenet121",)
    ),
    "EfficientNetV2B0": Architecture(
        applications.efficientnet_v2.preprocess_input,
        ("stem", *_numbered("block", 1, 6), "top"),
        ("efficientnetv2-b0",),
        scales=True,
    ),
    "ConvNeXtTiny": Architecture(
        applications.convnext.preprocess_input,
        ("convnext_tiny_stem", *_numbered("convnext_tiny_stage_", 0, 3)),
        ("convnext_tiny",),
        scales=True,
    ),
}


def build(name: str, weights: str | None) -> keras.Model:
    """Returns a registered net for pictures of any size.

    Args:
        name: of `BACKBONES`.
        weights: `imagenet`, which Keras downloads once; None for random ones.
    """
    function = getattr(applications, name)
    return function(include_top=False, weights=weights, input_shape=(None, None, 3))


def recognised(net: keras.Model, path: str) -> Architecture:
    """Returns which registered net a file holds, by the name of its model.

    Args:
        net: what the file holds.
        path: of the file.

    Raises:
        InputError: it is none of them, or does not scale pictures as that one does.
    """
    known = {model: entry for entry in BACKBONES.values() for model in entry.models}
    if net.name not in known:
        raise InputError(
            f"trainer.backbone: the net in {path} is named {net.name!r}, so that nobody knows what "
            f"pictures it expects: a net that can be used is named {', '.join(known)}."
        )
    architecture = known[net.name]
    layers = net._flatten_layers(include_self=False)
    if any(isinstance(layer, _SCALING) for layer in layers) is not architecture.scales:
        own = "without a layer" if architecture.scales else "with a layer of its own"
        raise InputError(
            f"trainer.backbone: the net in {path} is a {net.name} {own} that scales pictures, "
            "unlike Keras' own: save it as keras.applications builds it."
        )
    return architecture
