"""Settings of a training that takes a moment."""

from components.trainer.settings import Augmentation, Settings

SETTINGS = Settings(
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
    augmentation=Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, False),
    work_dir="",
)
