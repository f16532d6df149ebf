"""The seed recipe as a notebook has it: all pictures in memory, Keras' fit, the whole net anew.

    python -m bench.plain --data chest_xray --run runs/seed --backbone resnet50.keras

It trains on the films that the run trained on, finds the threshold on the run's eval split and
measures on its test split, and prints what came out as JSON. Its own work alone is what a
stopwatch around it sees; the names of the run's films are all that it takes from there.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score, roc_curve

from bench.runs import films
from components.shared.features import EVAL, TEST, TRAIN
from pipeline.config import Config, load_config


def read(data: Path, names: list[tuple[str, int]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 [N, size, size, 1], each film on a black square, and float32 [N] labels."""
    pictures = np.zeros((len(names), size, size, 1), np.uint8)
    for number, (name, _) in enumerate(names):
        film = cv2.imread(str(data / name), cv2.IMREAD_GRAYSCALE)
        height, width = film.shape
        scale = size / max(height, width)
        small = cv2.resize(
            film, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
        )
        top, left = ((size - side) // 2 for side in small.shape)
        pictures[number, top : top + small.shape[0], left : left + small.shape[1], 0] = small
    return pictures, np.array([label for _, label in names], np.float32)


def build(backbone: str, config: Config) -> keras.Model:
    """Returns the compiled net: the frozen backbone, and on it the seed's head."""
    recipe, size = config.trainer, config.transform.input_size
    base = keras.models.load_model(backbone, compile=False)
    base.trainable = False
    start = keras.Input((size, size, 1))
    colour = keras.layers.Concatenate()([start, start, start])
    features = base(keras.applications.resnet50.preprocess_input(colour), training=False)
    features = keras.layers.GlobalAveragePooling2D()(features)
    hidden = keras.layers.Dense(recipe.dense_units, activation="relu")(features)
    hidden = keras.layers.Dropout(recipe.dropout)(hidden)
    model = keras.Model(start, keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(
        keras.optimizers.Adam(recipe.learning_rate), "binary_crossentropy", metrics=["auc"]
    )
    return model


def batches(pictures: np.ndarray, labels: np.ndarray, config: Config) -> tf.data.Dataset:
    """Returns balanced, augmented batches: half of each is normal."""
    bounds, half = config.trainer.augmentation, config.trainer.batch_size // 2
    change = keras.Sequential(
        [
            keras.layers.RandomRotation(bounds.rotation / 360, fill_mode="constant"),
            keras.layers.RandomTranslation(bounds.shift, bounds.shift, fill_mode="constant"),
            keras.layers.RandomZoom(bounds.zoom, fill_mode="constant"),
            keras.layers.RandomBrightness(bounds.brightness, value_range=(0, 255)),
            keras.layers.RandomContrast(bounds.contrast),
        ]
    )
    classes = [
        tf.data.Dataset.from_tensor_slices((pictures[labels == label], labels[labels == label]))
        .shuffle(len(labels), seed=config.seed)
        .batch(half, drop_remainder=True)
        for label in (0, 1)
    ]
    return (
        tf.data.Dataset.zip(*classes)
        .map(lambda a, b: (tf.concat([a[0], b[0]], 0), tf.concat([a[1], b[1]], 0)))
        .map(lambda x, y: (change(tf.cast(x, tf.float32), training=True), y), tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="of cxr run --config seed")
    parser.add_argument("--backbone", required=True, help="a Keras model file")
    options = parser.parse_args()
    config = load_config(str(options.run / "config.yaml"))
    keras.utils.set_random_seed(config.seed)
    size = config.transform.input_size
    splits = {
        split: read(options.data, films(options.run, split), size) for split in (TRAIN, EVAL, TEST)
    }
    model = build(options.backbone, config)
    best = keras.callbacks.EarlyStopping(
        monitor="val_auc", mode="max", patience=config.trainer.patience, restore_best_weights=True
    )
    model.fit(
        batches(*splits[TRAIN], config),
        validation_data=splits[EVAL],
        epochs=config.trainer.epochs,
        callbacks=[best],
        verbose=2,
    )
    scores = {split: model.predict(splits[split][0], verbose=0)[:, 0] for split in (EVAL, TEST)}
    false_alarms, recall, thresholds = roc_curve(splits[EVAL][1], scores[EVAL])
    threshold = float(thresholds[np.argmax(recall - false_alarms)])
    called, positive = scores[TEST] >= threshold, splits[TEST][1] == 1
    print(
        json.dumps(
            {
                "auc": roc_auc_score(positive, scores[TEST]),
                "accuracy": float((called == positive).mean()),
                "recall": float(called[positive].mean()),
                "specificity": float((~called[~positive]).mean()),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
