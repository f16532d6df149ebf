"""RunSettings of a training that takes a moment."""

from components.trainer.settings import Augmentation, RunSettings

STILL = Augmentation(rotation=0.0, shift=0.0, zoom=0.0, brightness=0.0, contrast=0.0, flip=False)
SETTINGS = RunSettings(
    backbone="none",
    input_size=32,
    seed=3,
    epochs=4,
    batch_size=8,
    learning_rate=0.01,
    dense_units=16,
    dropout=0.5,
    patience=100,
    views=2,
    augmentation=STILL,
    work_dir="",
)
