"""The engine's mark for a value that is not known before an update has run.

The mark is an ordinary string, so plain dicts of inputs can hold it anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def has_unknown(value: Any) -> bool:
    """Whether the value is unknown or holds something unknown."""
    if isinstance(value, str):
        return value == UNKNOWN
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, Sequence):
        return any(has_unknown(item) for item in cast("Sequence[Any]", value))
    return False
