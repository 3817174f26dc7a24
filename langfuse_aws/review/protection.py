"""Which stores a change lets go unprotected: by Pulumi's options, and by AWS's own attributes."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import Resource, ResourceGraph

PROTECT: Final = "protect"
RETAIN: Final = "retainOnDelete"
GUARD: Final = "langfuse:allowReplace"
"""Naming a store there takes the replacement guard off it."""
PROTECTING: Final[Mapping[str, bool]] = {
    "deletionProtection": True,
    "forceDestroy": False,
    "skipFinalSnapshot": False,
}
"""AWS's and its provider's inputs, with the value that keeps what bears data. The others of these
are what the provider takes for an input that is not given."""


@dataclass(frozen=True)
class Unprotected:
    """A store that can be deleted by what protected it before."""

    type: str
    name: str
    lifted: tuple[str, ...]
    """Options and inputs, in Pulumi's words."""


def unprotected(
    base: ResourceGraph,
    head: ResourceGraph,
    bearing: Callable[[Resource], bool],
    newly_allowed: Collection[str],
) -> tuple[Unprotected, ...]:
    """Find the stores of both graphs that lose a protection.

    Pulumi's options are the base's own, and those that the head's guard remembers
    (`protection.replacement_guard`): the head's own are lifted for what it may replace. A guard
    of an earlier program remembers none; there nothing is told of them.
    """
    remembered = _remembered(head)
    found = [
        Unprotected(old.type, old.name, lifted)
        for old in base.resources
        if old.urn in head and bearing(old)
        if (lifted := tuple(_lifted(old, head[old.urn], remembered, newly_allowed)))
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.type)))


def _lifted(
    old: Resource,
    new: Resource,
    remembered: Mapping[str, Any],
    newly_allowed: Collection[str],
) -> Iterator[str]:
    keeping = remembered.get(f"{old.type} {old.name}")
    if isinstance(keeping, list):
        if old.protect and (PROTECT not in keeping or old.name in newly_allowed):
            yield PROTECT
        elif old.name in newly_allowed:
            yield GUARD
        if old.retain_on_delete and RETAIN not in keeping:
            yield RETAIN
    for name, keeps in PROTECTING.items():
        before, after = (bool(each.inputs.get(name)) is keeps for each in (old, new))
        if before and not after:
            yield name


def _remembered(head: ResourceGraph) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in head.of_type("pulumi:index:Stash"):
        value = each.inputs.get("input")
        if each.name.endswith("-stores") and isinstance(value, Mapping):
            found.update(cast("Mapping[str, Any]", value))
    return found
