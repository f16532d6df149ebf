"""Why a model refuses a film, in one sentence."""

import re

# Of TensorFlow's messages, what tells a client nothing.
_NOISE = ("Graph execution error", "Detected at node", "<stack traces", "[[{{", "{{function_node")


def reason_of(message: str) -> str:
    """Returns the sentence of a message of TensorFlow's that is about the input."""
    lines = [line.strip() for line in message.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE)]
    first = (told or ["the model refuses the input"])[0]
    # What the graph itself checks comes in the form of its assertions.
    asserted = re.fullmatch(r"assertion failed: \[(.*)\]", first)
    return (asserted[1] if asserted else first)[:300]
