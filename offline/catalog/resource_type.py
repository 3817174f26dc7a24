"""The shape of a catalog entry: everything the model knows about one resource type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline.facts import Value

Inputs = Mapping[str, Any]

EVERYTHING = frozenset({"*"})
"""Every input but the tags forces a replacement."""


def _no_extra_replacements(_old: Inputs, _new: Inputs) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class Naming:
    """An input that gets the logical name and seven random digits if it is not set."""

    property: str = "name"
    longest: int = 255
    lowercase: bool = False


@dataclass(frozen=True)
class ResourceType:
    """One resource type.

    `identity` gives the id. `computed` are the outputs that AWS tells only after creation (a
    dotted key is a field of an object input); inputs win over them. `defaults` are known before.
    `restated` are computed outputs that AWS tells anew on every update.
    """

    identity: Value
    computed: Mapping[str, Value] = field(default_factory=dict[str, Value])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    naming: Naming | None = None
    replaced_by: frozenset[str] = frozenset()
    also_replaced_by: Callable[[Inputs, Inputs], frozenset[str]] = _no_extra_replacements
    restated: frozenset[str] = frozenset()
    tagged: bool = True
    regional: bool = True


def inputs(*names: str) -> frozenset[str]:
    """Names of input properties."""
    return frozenset(names)
