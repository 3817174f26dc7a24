"""Reads nested inputs of resources."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

Inputs = Mapping[str, Any]


def section(inputs: Inputs, key: str) -> Inputs:
    """An object among the inputs; an empty one if it is not there."""
    found = inputs.get(key)
    return cast("Inputs", found) if isinstance(found, Mapping) else {}


def sections(inputs: Inputs, key: str) -> Sequence[Inputs]:
    """A list of objects among the inputs; an empty one if it is not there."""
    found = inputs.get(key)
    return cast("list[Inputs]", found) if isinstance(found, list) else []
