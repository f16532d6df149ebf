"""The folders of a run's artifacts, as far as its report reads them."""

import json
from pathlib import Path

from support.report_content import content, metrics


def write(folder: Path, **files: object) -> Path:
    """Makes a folder with files of JSON; returns it."""
    folder.mkdir(parents=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def write_artifacts(root: Path) -> None:
    """Writes `examples`, `model_run`, `evaluation` and `infra_blessing` into a folder."""
    examples = write(root / "examples", summary={"kept": {"test": {"NORMAL": 1}}})
    (examples / "quarantine.csv").write_text("file,reason\na.jpeg,cut off\n")
    write(root / "model_run", history=content().history, cost={"epochs_seconds": 2.0})
    result = {**metrics(), "errors": []}
    evaluation = write(root / "evaluation", result=result)
    rows = [
        f"test,{row['file_name']},p,{row['label']},virus,{row['probability']}"
        for row in content().predictions
    ]
    header = "split,file_name,patient,label,subtype,probability"
    (evaluation / "predictions.csv").write_text("\n".join([header, *rows, ""]))
    write(root / "infra_blessing", serving_check={"refused": "the gate refused the model"})
