from pathlib import Path

from components.evaluator.champion import (
    Note,
    candidate_key,
    find_champion,
    read_note,
    write_note,
)


def push(folder: Path, version: str, note: Note | None = None) -> None:
    model = folder / version
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"")
    if note:
        write_note(str(model), note)


def test_a_model_does_not_meet_itself(tmp_path: Path) -> None:
    destination = str(tmp_path)
    assert find_champion(destination, "model/1") == ""
    push(tmp_path, "100", Note(candidate_key("model/1"), "", 0.5))
    assert find_champion(destination, "model/1") == ""
    assert find_champion(destination, "model/2") == "100"
    push(tmp_path, "200", Note(candidate_key("model/2"), "100", 0.5))
    # Evaluated again, the second meets whom it met; the first now meets the second.
    assert find_champion(destination, "model/2") == "100"
    assert find_champion(destination, "model/1") == "200"


def test_a_strangers_model_is_a_champion_too(tmp_path: Path) -> None:
    push(tmp_path, "100")
    assert read_note(str(tmp_path / "100")) is None
    assert find_champion(str(tmp_path), "model/1") == "100"
