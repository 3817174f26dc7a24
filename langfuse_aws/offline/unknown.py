"""Finds what is not known before an update has run, by Pulumi's mark.

The mark is an ordinary string, so plain dicts of inputs can hold it anywhere. On the wire it is a
value of its own, and never a part of a text: `graph.model.has_unknown` looks into texts as well,
since it reads what programs have made of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pulumi.runtime.rpc import UNKNOWN

__all__ = ["UNKNOWN", "any_unknown"]


def any_unknown(value: Any) -> bool:
    """Whether the value, or one in it, is the mark."""
    if isinstance(value, str):
        return value == UNKNOWN
    if isinstance(value, Mapping):
        return any(any_unknown(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, Sequence):
        return any(any_unknown(item) for item in cast("Sequence[Any]", value))
    return False
