"""The pretrained net under the head: where its weights come from, and what it expects."""

import os
import zipfile

import keras

from components.errors import InputError

IMAGENET = "imagenet"
RANDOM = "none"
_SETTING = "trainer.backbone"


def check_backbone(backbone: str) -> None:
    """Fails early where the weights cannot be had; a download, if any, happens here.

    Args:
        backbone: `imagenet`, `none`, or the path of a Keras model file.

    Raises:
        InputError: the file is missing or damaged, or the download failed.
    """
    if backbone == IMAGENET:
        _imagenet(224)
    elif backbone != RANDOM:
        _check_file(backbone)


def file_state(backbone: str) -> str | None:
    """Returns size and modification time (ns) of the backbone's file, where it is one."""
    if not os.path.isfile(backbone):
        return None
    stat = os.stat(backbone)
    return f"{stat.st_size}/{stat.st_mtime_ns}"


def build_backbone(backbone: str, input_size: int, seed: int) -> keras.Model:
    """Returns the frozen net, from grey pictures to pooled features.

    Args:
        backbone: `imagenet` (Keras' download), `none` (random weights), or the path of a Keras
            model file without its top, which takes what
            `keras.applications.resnet50.preprocess_input` gives.
        input_size: side of the picture in pixels.
        seed: of the random weights.

    Returns:
        A model from float32 [N, input_size, input_size, 1], 0 to 255, to float32 [N, C], whose
        layers are not trainable and whose BatchNorm stays in inference mode.

    Raises:
        InputError: the weights cannot be loaded or do not fit.
    """
    if backbone == IMAGENET:
        net = _imagenet(input_size)
    elif backbone == RANDOM:
        keras.utils.set_random_seed(seed)
        net = _resnet50(input_size, weights=None)
    else:
        net = _load_file(backbone)
    net.trainable = False
    grey = keras.Input((input_size, input_size, 1), name="grey")
    colour = keras.layers.Concatenate(name="three_channels")([grey, grey, grey])
    try:
        if net.input_shape[-1] == 1:  # Keras would notice only when the net runs
            raise ValueError("a net for grey pictures")
        features = net(keras.applications.resnet50.preprocess_input(colour), training=False)
    except ValueError as error:
        raise InputError(
            f"{_SETTING}: the net in {backbone} does not take pictures of {input_size} x "
            f"{input_size} x 3: it expects {net.input_shape}."
        ) from error
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    if len(features.shape) != 2 or features.shape[-1] is None:
        raise InputError(
            f"{_SETTING}: the net in {backbone} gives {tuple(features.shape)}, which is neither "
            "(N, H, W, C) nor (N, C)."
        )
    return keras.Model(grey, features, name="backbone")


def _resnet50(input_size: int, weights: str | None) -> keras.Model:
    return keras.applications.ResNet50(
        include_top=False, weights=weights, input_shape=(input_size, input_size, 3)
    )


def _imagenet(input_size: int) -> keras.Model:
    try:
        return _resnet50(input_size, weights="imagenet")
    except Exception as error:  # urllib's, Keras' and h5py's errors alike: no weights
        raise InputError(
            f"{_SETTING} is 'imagenet', but Keras could not get its weights ({error}): set "
            f"{_SETTING} to the path of a Keras model file, put the weights into "
            f"{os.path.expanduser('~/.keras/models')}, or set it to 'none' for random ones."
        ) from error


def _check_file(path: str) -> None:
    if not os.path.isfile(path):
        raise InputError(
            f"{_SETTING}: {path} is no file; give 'imagenet', 'none' or a Keras model file."
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
