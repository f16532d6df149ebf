"""The head, and the whole net made of backbone and head."""

from typing import NamedTuple

import keras

from components.trainer import targets
from components.trainer.backbone import POOL, Backbone
from components.trainer.settings import RunSettings


def build_head(features: int, classes: int, settings: RunSettings) -> keras.Model:
    """Returns the head: Dense ReLU, Dropout, Dense.

    Features of random weights are a ripple on a large offset, on which Adam stalls or overshoots:
    `normalize_features` puts a BatchNormalization before the head.

    Args:
        features: length C of the backbone's pooled features.
        classes: number K of logits, see `targets.target_classes`.
        settings: normalisation, width and dropout; the weights are seeded.

    Returns:
        A model from float32 [N, C] to logits, float32 [N, K].
    """
    keras.utils.set_random_seed(settings.seed)
    # Few steps: the moving averages must come in soon.
    normalize = [keras.layers.BatchNormalization(momentum=0.9)] * settings.normalize_features
    hidden = (
        [keras.layers.Dense(settings.dense_units, activation="relu")]
        if settings.dense_units
        else []
    )
    return keras.Sequential(
        [
            keras.Input((features,)),
            *normalize,
            *hidden,
            keras.layers.Dropout(settings.dropout, seed=settings.seed),
            keras.layers.Dense(classes, name="logits"),
        ],
        name="head",
    )


def chained(first: keras.layers.Layer, second: keras.Model) -> keras.Model:
    """Returns the model that runs `first`, a model or a `FrozenLayer`, then `second`."""
    start = keras.Input(first.input_shape[1:])
    return keras.Model(start, second(first(start)))


def pneumonia_scorer(net: keras.Model) -> keras.Model:
    """Returns a model that gives the log odds of pneumonia, [N, 1], for what `net` takes."""
    start = keras.Input(net.input_shape[1:])
    return keras.Model(start, targets.pneumonia_logit(net(start)))


class Net(NamedTuple):
    """The whole net in two, at the place that a heat map is made of.

    Attributes:
        feature_maps: from what the net sees of a picture, float32 [N, S, S, 1], 0 to 255, to what
            the last convolution gives, [N, h, w, C], or to [N, C] where the backbone pools itself.
        log_odds: from there to the log odds of pneumonia, float32 [N, 1].
    """

    feature_maps: keras.Model
    log_odds: keras.Model


def join(backbone: Backbone, head: keras.Model) -> Net:
    """Returns the whole net as it is served."""
    tuned = backbone.tuned
    names = [layer.name for layer in tuned.layers]
    features = tuned.get_layer(POOL).input if POOL in names else tuned.output
    start = keras.Input(features.shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D()(start) if POOL in names else start
    return Net(
        chained(backbone.frozen, keras.Model(tuned.input, features)),
        keras.Model(start, targets.pneumonia_logit(head(pooled))),
    )


def compiled(model: keras.Model, settings: RunSettings, steps: int) -> keras.Model:
    """Compiles a model that gives logits, and returns it.

    Args:
        model: to [N, K].
        settings: learning rate, how it rises and falls, and weight decay.
        steps: in all epochs together.
    """
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rise = round(settings.warmup * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if rise else rate, steps - rise, warmup_target=rate, warmup_steps=rise
        )
    optimizer = (
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
        if settings.weight_decay
        else keras.optimizers.Adam(rate)
    )
    model.compile(optimizer=optimizer, loss=targets.loss)
    return model
