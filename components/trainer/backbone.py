"""The pretrained net under the head: where its weights come from, and what it expects."""

import itertools
import os
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import keras

from components.shared.errors import InputError
from components.trainer.backbones import BACKBONES, DEFAULT, LEAST, Architecture, build, recognised
from components.trainer.settings import NAMED_WEIGHTS

IMAGENET = "imagenet"
RANDOM = "none"
POOL = "pool"
_SETTING = "trainer.backbone"


def check_backbone(backbone: str) -> None:
    """Fails early where the weights cannot be had; a download, if any, happens here.

    Args:
        backbone: `imagenet`, `none`, a name of `BACKBONES`, or the path of a Keras model file.

    Raises:
        InputError: the file is missing or damaged, or the download failed.
    """
    if backbone not in NAMED_WEIGHTS:
        _check_file(backbone)
    elif backbone != RANDOM:
        _imagenet(backbone)


def file_state(backbone: str) -> str | None:
    """Returns size and modification time (ns) of the backbone's file, where it is one."""
    if not os.path.isfile(backbone):
        return None
    stat = os.stat(backbone)
    return f"{stat.st_size}/{stat.st_mtime_ns}"


class Backbone(NamedTuple):
    """The net without its head, cut in two.

    Attributes:
        frozen: from grey pictures, float32 [N, S, S, 1], 0 to 255, to the cut.
        tuned: from the cut to pooled features, float32 [N, C]; its layers are trainable, but for
            BatchNorm, which stays in inference mode.
        source: where the net came from.
        architecture: which net it is.
        parts: the nets inside the two, as they were cut; None where nothing follows the cut.
    """

    frozen: keras.Model
    tuned: keras.Model
    source: str
    architecture: Architecture
    parts: tuple[keras.Model, keras.Model | None]

    def resized(self, size: int) -> "Backbone":
        """Returns the same net, with the same weights, for pictures of another side in pixels.

        Raises:
            InputError: the net does not take them.
        """
        return _assemble(self.source, self.architecture, *self.parts, size)


def build_backbone(
    backbone: str, net_size: int, seed: int, fine_tune: str | None = None
) -> Backbone:
    """Returns the net from grey pictures to pooled features.

    Args:
        backbone: `imagenet` or a name of `BACKBONES` (Keras' download), `none` (a ResNet50 of
            random weights), or the path of a Keras model file of a net of `BACKBONES` without its
            top.
        net_size: side S of the picture in pixels.
        seed: of the random weights.
        fine_tune: how the name of the first layer that is trained begins; None trains none, and
            leaves to the tuned part the pooling alone.

    Raises:
        InputError: the weights cannot be loaded or do not fit, or the net cannot be cut there.
    """
    if backbone in NAMED_WEIGHTS:
        if net_size < LEAST:
            raise InputError(
                f"{_name(backbone)} needs pictures of {LEAST} pixels at least; "
                f"transform.input_size times trainer.crop gives {net_size}."
            )
        keras.utils.set_random_seed(seed)
        net = build(_name(backbone), None) if backbone == RANDOM else _imagenet(backbone)
        architecture = BACKBONES[_name(backbone)]
    else:
        net = _load_file(backbone)
        architecture = recognised(net, backbone)
    net.trainable = False
    parts = _cut(net, fine_tune, architecture.stages)
    return _assemble(backbone, architecture, *parts, net_size)


def _name(backbone: str) -> str:
    return DEFAULT if backbone in (IMAGENET, RANDOM) else backbone


def _assemble(
    source: str,
    architecture: Architecture,
    frozen: keras.Model,
    tuned: keras.Model | None,
    size: int,
) -> Backbone:
    """Puts the two parts of a net behind grey pictures of a side in pixels."""
    grey = keras.Input((size, size, 1), name="grey")
    colour = keras.layers.Concatenate(name="three_channels")([grey, grey, grey])
    try:
        if frozen.input_shape[-1] == 1:  # Keras would notice only when the net runs
            raise ValueError("a net for grey pictures")
        boundary = frozen(architecture.preprocess(colour), training=False)
    except ValueError as error:
        raise InputError(
            f"{_SETTING}: the net in {source} does not take pictures of {size} x {size} x 3: it "
            f"expects {frozen.input_shape}."
        ) from error
    start = keras.Input(boundary.shape[1:], name="boundary")
    # A model needs a layer, also where there is nothing left to do.
    features = tuned(start) if tuned else keras.layers.Identity()(start)
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name=POOL)(features)
    if len(features.shape) != 2 or features.shape[-1] is None:
        raise InputError(
            f"{_SETTING}: the net in {source} gives {tuple(features.shape)}, which is neither "
            "(N, H, W, C) nor (N, C)."
        )
    return Backbone(
        keras.Model(grey, boundary, name="frozen"),
        keras.Model(start, features, name="tuned"),
        source,
        architecture,
        (frozen, tuned),
    )


def _cut(
    net: keras.Model, fine_tune: str | None, stages: Sequence[str]
) -> tuple[keras.Model, keras.Model | None]:
    """Cuts a frozen net before its first layer to train, and makes trainable what follows.

    Args:
        net: of one input and one output.
        fine_tune: how the name of that layer begins; None cuts nothing off.
        stages: names that are known to do, for the error's sake.

    Raises:
        InputError: no layer has such a name, or several tensors cross the cut.
    """
    if fine_tune is None:
        return net, None
    graph = net._functional if isinstance(net, keras.Sequential) else net
    # Layers, and operations such as a sum that are none.
    names = [operation.name for operation in graph.operations]
    first = next((i for i, name in enumerate(names) if name.startswith(fine_tune)), None)
    if first is None:
        raise InputError(
            f"trainer.fine_tune is {fine_tune!r}, but no layer of the backbone begins so: it "
            f"can be cut at {', '.join(stages)}."
        )
    trained = set(names[first:])
    # Not `layer.input`: a net that serves as a layer has there an input of its own.
    crossing = {
        id(tensor): tensor
        for node in itertools.chain(*graph._nodes_by_depth.values())
        for tensor in node.input_tensors
        if node.operation.name in trained and tensor._keras_history.operation.name not in trained
    }
    if len(crossing) != 1:
        raise InputError(
            f"trainer.fine_tune is {fine_tune!r}, where the backbone cannot be cut: "
            f"{len(crossing)} tensors cross the cut, not one; it can at {', '.join(stages)}."
        )
    (boundary,) = crossing.values()
    # A model needs a layer, also where nothing is left before the cut.
    frozen = keras.Model(graph.input, keras.layers.Identity()(boundary))
    tuned = keras.Model(boundary, graph.output)
    # Layer by layer, those within layers last: the new model is trainable already, so that
    # setting it there does nothing.
    for layer in tuned._flatten_layers(include_self=False):
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return frozen, tuned


def _imagenet(backbone: str) -> keras.Model:
    try:
        return build(_name(backbone), IMAGENET)
    except Exception as error:  # urllib's, Keras' and h5py's errors alike: no weights
        raise InputError(
            f"{_SETTING} is {backbone!r}, but Keras could not get its weights ({error}): set "
            f"{_SETTING} to the path of a Keras model file, put the weights into "
            f"{os.path.expanduser('~/.keras/models')}, or set it to 'none' for random ones."
        ) from error


def _check_file(path: str) -> None:
    if not os.path.isfile(path):
        raise InputError(
            f"{_SETTING}: {path} is no file; give one of {', '.join(NAMED_WEIGHTS)}, or a Keras "
            "model file."
        )
    if path.endswith(".keras"):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except zipfile.BadZipFile as error:
            raise InputError(f"{_SETTING}: {path} is no complete .keras file ({error}).") from error
        if damaged:
            raise InputError(f"{_SETTING}: {path} is damaged: {damaged} fails its checksum.")


def _load_file(path: str) -> keras.Model:
    _check_file(path)
    try:
        net = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the content makes it raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{_SETTING}: Keras cannot load {path}: {reason}") from error
    if not isinstance(net, keras.Model):
        raise InputError(f"{_SETTING}: {path} holds a {type(net).__name__}, not a Keras model.")
    # Keras gives these of a net that is built, and of no other.
    if len(getattr(net, "inputs", ())) != 1 or len(getattr(net, "outputs", ())) != 1:
        raise InputError(f"{_SETTING}: {path} holds no built net of one input and one output.")
    return net
