"""A value that is there and cannot be read, and is taken for right while the rest is checked."""

from collections.abc import Mapping
from typing import Any, Final, cast


class Sealed:
    """Stands for such a value, of whatever kind."""


SEALED: Final = Sealed()


def holds(value: Any) -> bool:
    """Whether a value is sealed, or a part of it."""
    if isinstance(value, Mapping):
        return any(holds(each) for each in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(holds(each) for each in cast("list[Any]", value))
    return isinstance(value, Sealed)


def without(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is not sealed, of mappings in mappings too; a list that holds some is left out."""
    return {
        key: without(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if isinstance(value, Mapping) or not holds(value)
    }
