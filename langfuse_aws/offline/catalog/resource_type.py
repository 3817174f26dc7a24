"""The shape of a catalog entry: everything the model knows about one resource type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langfuse_aws.offline.facts import Facts, Value

EVERYTHING = frozenset({"*"})
"""Every input but the tags forces a replacement."""


@dataclass(frozen=True)
class Naming:
    """An input that gets the logical name and seven random digits if it is not set."""

    property: str = "name"
    longest: int = 255
    lowercase: bool = False
    separator: str = "-"

    def begins(self, name: str) -> str:
        """What stands before the digits, for a logical name."""
        start = f"{name}{self.separator}"
        return start.lower() if self.lowercase else start


@dataclass(frozen=True)
class ResourceType:
    """One resource type.

    `identity` gives the id. `computed` are the outputs that AWS tells only after creation (a
    dotted key is a field of an object input); inputs win over them. `defaults` are known before.
    `restated` are computed outputs that AWS tells anew on every update, `decided` those that it
    tells in its own words, whatever was asked for. What replaces a resource is in `rules.csv`, and
    is put in when the catalog is put together.
    """

    identity: Value
    computed: Mapping[str, Value] = field(default_factory=dict[str, Value])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    naming: Naming | None = None
    replaced_by: frozenset[str] = frozenset()
    restated: frozenset[str] = frozenset()
    decided: Mapping[str, Callable[[Facts], Any]] = field(
        default_factory=dict[str, Callable[[Facts], Any]]
    )
    tagged: bool = True
    regional: bool = True
