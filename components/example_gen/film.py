"""What is known of one file of the data set, from its name to what became of it."""

import dataclasses
import json
from dataclasses import dataclass

from components.example_gen.images import Facts

# What becomes of a file.
KEPT = "kept"
QUARANTINED = "quarantined"
DUPLICATE = "duplicate"
UNDERSAMPLED = "undersampled"


@dataclass(frozen=True)
class Film:
    """One file. The pixels stay on disk.

    Attributes:
        file_name: relative to the data folder, with forward slashes.
        split: the folder's name at first (`train`, `val`, `test`), then `train`, `eval` or `test`.
        label: 0 NORMAL, 1 PNEUMONIA; None where a table does not tell, and the film is not kept.
        subtype: see `components.shared.patients`.
        patient: likewise, or a hash of `components.example_gen.identity`; empty until it is known.
        sha256: of the file's bytes, in hexadecimal; empty where it could not be read.
        facts: what the film looks like; None where it is no film.
        fate: one of the constants of this module; or LEFT_OUT, sound and not what the model is for.
        reason: why it was not kept; empty where it was. Of films left out it is one of few.
    """

    file_name: str
    split: str
    label: int | None
    subtype: str
    patient: str
    sha256: str = ""
    facts: Facts | None = None
    fate: str = KEPT
    reason: str = ""

    def leaving(self, fate: str, reason: str) -> "Film":
        """Returns the film as one that was not kept."""
        return dataclasses.replace(self, fate=fate, reason=reason)

    def to_json(self) -> str:
        """Returns one line of the manifest."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> "Film":
        """Reads one line of the manifest."""
        fields = json.loads(line)
        facts = fields.pop("facts")
        return cls(facts=Facts(**facts) if facts else None, **fields)
