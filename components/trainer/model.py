"""The head, and the whole net made of backbone and head."""

import keras

from components.trainer.settings import Settings


def build_head(features: int, settings: Settings) -> keras.Model:
    """Returns the compiled head: Dense ReLU, Dropout, Dense sigmoid.

    Features of random weights are a ripple on a large offset, on which Adam stalls or overshoots:
    `normalize_features` puts a BatchNormalization before the head.

    Args:
        features: length C of the backbone's pooled features.
        settings: normalisation, width, dropout and learning rate; the weights are seeded.

    Returns:
        A model from float32 [N, C] to the probability of pneumonia, float32 [N, 1].
    """
    keras.utils.set_random_seed(settings.seed)
    # Few steps: the moving averages must come in soon.
    normalize = [keras.layers.BatchNormalization(momentum=0.9)] * settings.normalize_features
    head = keras.Sequential(
        [
            keras.Input((features,)),
            *normalize,
            keras.layers.Dense(settings.dense_units, activation="relu"),
            keras.layers.Dropout(settings.dropout, seed=settings.seed),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="head",
    )
    return compiled(head, settings)


def join(backbone: keras.Model, head: keras.Model) -> keras.Model:
    """Returns the whole net, from float32 [N, S, S, 1], 0 to 255, to float32 [N, 1]."""
    return keras.Model(backbone.input, head(backbone.output), name="pneumonia")


def compiled(model: keras.Model, settings: Settings) -> keras.Model:
    """Compiles with Adam and binary cross-entropy, and returns the model."""
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
    )
    return model
