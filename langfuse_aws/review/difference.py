"""The difference that a change makes to one stack: typed, sorted, without secrets."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.cost.bill import IdleCost
from langfuse_aws.cost.prices import SourceClass
from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource, ResourceGraph
from langfuse_aws.graph.preview import Step
from langfuse_aws.review.facts import (
    OpenPort,
    Permission,
    containers,
    exposures,
    open_ports,
    permissions,
)
from langfuse_aws.review.protection import Unprotected, unprotected

LONGEST: Final = 120
"""Characters of a value that are told."""
BOOKKEEPING: Final = frozenset({"pulumi:pulumi:Stack", "pulumi:index:Stash"})
"""Types that are nothing in AWS."""
_PATH_PART: Final = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)')

DATA_LOST: Final = frozenset({"replace", "delete", "delete-replaced"})


@dataclass(frozen=True)
class PropertyChange:
    """One property that differs, with short values as text; None where there is none."""

    path: str
    old: str | None
    new: str | None
    replaces: bool


@dataclass(frozen=True)
class Change:
    """What is done to one resource."""

    operation: str
    type: str
    name: str
    component: str
    """Class and name of the outermost component around it; empty without one."""
    properties: tuple[PropertyChange, ...]


@dataclass(frozen=True)
class ContainerChange:
    """What a container is started with from now on. Only names of variables."""

    container: str
    image: tuple[str, str] | None
    """Before and after, if it differs."""
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What a change does to a stack."""

    stack: str
    changes: tuple[Change, ...]
    at_risk: tuple[Change, ...]
    """Those of `changes` that replace or delete what bears data."""
    refused: tuple[str, ...]
    """Names of what is at risk that `langfuse:allowReplace` does not name: `up` refuses."""
    opened: tuple[OpenPort, ...]
    closed: tuple[OpenPort, ...]
    exposed: tuple[str, ...]
    concealed: tuple[str, ...]
    granted: tuple[Permission, ...]
    revoked: tuple[Permission, ...]
    containers: tuple[ContainerChange, ...]
    cost: tuple[float | None, float | None]
    """USD a month before and after; None where it is not known."""
    cost_known_from: SourceClass | None
    """The weakest source of the prices of what it costs afterwards."""
    cost_missing: tuple[str, ...]
    """Why a cost is not known, a sentence each."""
    unprotected: tuple[Unprotected, ...]
    """Stores that stay and lose a protection."""
    by_default: tuple[str, str] | None = None
    """Langfuse's releases before and after, if they are of two majors and the later one is a
    default that nobody named: `up` refuses."""

    def count(self, *operations: str) -> int:
        """How many resources have one of these operations done to them."""
        return sum(change.operation in operations for change in self.changes)


def difference(
    stack: str,
    base: ResourceGraph,
    head: ResourceGraph,
    steps: Sequence[Step],
    bearing: Callable[[Resource], bool],
    allowed: Collection[str],
    cost_of: Callable[[ResourceGraph], IdleCost],
) -> Difference:
    """Compare. `bearing` tells what has data, `allowed` what may be replaced by name."""
    told = [
        step for step in steps if step.resource.custom and step.resource.type not in BOOKKEEPING
    ]
    changes = sorted(
        (_change(step, base, head) for step in told),
        key=lambda change: (change.component, change.type, change.name),
    )
    risky = {
        (step.old.type, step.old.name)
        for step in told
        if step.operation in DATA_LOST and step.old and bearing(step.old)
    }
    at_risk = tuple(each for each in changes if (each.type, each.name) in risky)
    ports, faces, rights = (
        _gained_and_lost(found(base), found(head)) for found in (open_ports, exposures, permissions)
    )
    before, after = cost_of(base), cost_of(head)
    return Difference(
        stack=stack,
        changes=tuple(changes),
        at_risk=at_risk,
        refused=tuple(sorted({each.name for each in at_risk} - set(allowed))),
        opened=ports[0],
        closed=ports[1],
        exposed=faces[0],
        concealed=faces[1],
        granted=rights[0],
        revoked=rights[1],
        containers=tuple(_container_changes(base, head)),
        cost=(before.usd, after.usd),
        cost_known_from=after.known_from,
        cost_missing=tuple(dict.fromkeys([*before.missing, *after.missing])),
        unprotected=unprotected(base, head, bearing, allowed),
    )


def _gained_and_lost(before: set[Any], after: set[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(sorted(after - before)), tuple(sorted(before - after))


def _change(step: Step, base: ResourceGraph, head: ResourceGraph) -> Change:
    resource = step.resource
    graph = head if resource.urn in head else base
    around = graph.components(graph[resource.urn]) if resource.urn in graph else []
    component = f"{around[0].type.rsplit(':', 1)[-1]} {around[0].name}" if around else ""
    # What AWS tells after an update: a preview does not know it yet.
    none: Mapping[str, Any] = {}
    new = head[resource.urn].inputs if resource.urn in head else none
    old = step.old.inputs if step.old else none
    properties = (
        found
        for path, kind in sorted(step.changed.items())
        for found in _property_changes(path, kind, old, new)
    )
    return Change(
        operation=step.operation,
        type=resource.type,
        name=resource.name,
        component=component,
        properties=tuple(properties),
    )


def _property_changes(
    path: str, kind: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[PropertyChange]:
    replaces = kind.endswith("-replace")
    before, after = _at(old, path), _at(new, path)
    documents = _document(before), _document(after)
    if all(document is not None for document in documents):
        for inner, one, other in _differing(*documents):
            yield PropertyChange(f"{path}: {inner}", _text(one), _text(other), replaces)
    else:
        yield PropertyChange(path, _text(before), _text(after), replaces)


def _document(value: Any) -> Any:
    """What a JSON document holds; None for anything else."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return None
    return None


def _differing(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two documents differ, and how, as deep as they can be told apart."""
    before, after = _members(old), _members(new)
    if before is not None and after is not None:
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else key
            yield from _differing(before.get(key), after.get(key), inner)
    elif old != new:
        yield path, old, new


def _members(value: Any) -> Mapping[str, Any] | None:
    """What an object or a list holds, by name where its items have one; None for plain values."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        objects = [cast("dict[str, Any]", each) for each in items if isinstance(each, dict)]
        named = {str(each["name"]): each for each in objects if "name" in each}
        return named if len(named) == len(items) else {str(i): each for i, each in enumerate(items)}
    return None


def _at(value: Any, path: str) -> Any:
    """What lies at a path as Pulumi writes it, such as `tags["a.b"]` or `rules[0].id`."""
    for quoted, index, key in _PATH_PART.findall(path):
        if isinstance(value, list) and index:
            items = cast("list[Any]", value)
            value = items[int(index)] if int(index) < len(items) else None
        elif isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(quoted or key or index)
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if UNKNOWN in text:
        return "known after the update"
    if text == SECRET:
        return SECRET
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _container_changes(base: ResourceGraph, head: ResourceGraph) -> Iterator[ContainerChange]:
    before, after = containers(base), containers(head)
    for name in sorted({*before} & {*after}):
        old, new = before[name], after[name]
        if old != new:
            names = old.variables | old.secrets, new.variables | new.secrets
            yield ContainerChange(
                container=name,
                image=None if old.image == new.image else (old.image, new.image),
                added=tuple(sorted(names[1] - names[0])),
                removed=tuple(sorted(names[0] - names[1])),
            )
