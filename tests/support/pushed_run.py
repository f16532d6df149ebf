"""What a run that has pushed leaves, as far as it matters to those who serve it."""

from pathlib import Path

from components.pusher.settings import Settings as PusherSettings
from pipeline.config import Config


def make_run(folder: Path, name: str, *versions: str) -> Path:
    """Makes a run folder with versions of a model, which are empty; returns the folder."""
    for version in versions:
        model = folder / "serving_model" / name / version
        model.mkdir(parents=True)
        (model / "saved_model.pb").touch()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(Config(pusher=PusherSettings(model_name=name)).to_yaml())
    return folder
