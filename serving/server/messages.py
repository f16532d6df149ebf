"""What differs between TFX 1.16 and 1.21 for this code; the one place that knows it.

TFX 1.16 comes with protobuf 3, TFX 1.21 with protobuf 6.
"""

import inspect
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

# Protobuf 5 has renamed it.
_WITH_DEFAULTS = next(
    name
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in inspect.signature(json_format.MessageToDict).parameters
)


def message_to_dict(message: Message) -> dict[str, Any]:
    """Returns a message in the form of JSON, its fields by their own names, defaults too."""
    found: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True}
    )
    return found
