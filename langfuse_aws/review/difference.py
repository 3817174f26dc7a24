"""The difference that a change makes to one stack: typed, sorted, without secrets."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langfuse_aws.cost.bill import IdleCost
from langfuse_aws.cost.prices import SourceClass
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.graph.open_ports import OpenPort
from langfuse_aws.graph.preview import Step
from langfuse_aws.graph.resource_types import ECS_SERVICE, LAUNCH_TEMPLATE, TASK_DEFINITION
from langfuse_aws.review.facts import (
    Permission,
    containers,
    exposures,
    named_ports,
    permissions,
)
from langfuse_aws.review.property_changes import PropertyChange, property_changes
from langfuse_aws.review.protection import Unprotected, unprotected

BOOKKEEPING: Final = frozenset({"pulumi:pulumi:Stack", "pulumi:index:Stash"})
"""Types that are nothing in AWS."""

DATA_LOST: Final = frozenset({"replace", "delete", "delete-replaced"})


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
    stops: tuple[str, ...]
    """ECS services that stop before they start anew: ClickHouse with one server."""
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
    allowed_before: Collection[str] = (),
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
        _gained_and_lost(found(base), found(head))
        for found in (named_ports, exposures, permissions)
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
        unprotected=unprotected(base, head, bearing, {*allowed}.difference(allowed_before)),
        stops=tuple(sorted(_stops(base, head, changes))),
    )


def _gained_and_lost(before: set[Any], after: set[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(sorted(after - before)), tuple(sorted(before - after))


def _change(step: Step, base: ResourceGraph, head: ResourceGraph) -> Change:
    resource = step.resource
    graph = head if resource.urn in head else base
    around = graph.components(graph[resource.urn]) if resource.urn in graph else []
    component = f"{around[0].type.rsplit(':', 1)[-1]} {around[0].name}" if around else ""
    # What AWS tells after an update: a preview does not know it yet.
    new = head[resource.urn].inputs if resource.urn in head else None
    return Change(
        operation=step.operation,
        type=resource.type,
        name=resource.name,
        component=component,
        properties=tuple(property_changes(step, new)),
    )


def _stops(base: ResourceGraph, head: ResourceGraph, changes: Sequence[Change]) -> Iterator[str]:
    """Names of services that run nothing while another definition, or another instance, comes."""
    anew = {
        (each.type, each.name)
        for each in changes
        if (each.type, each.operation) == (TASK_DEFINITION, "replace")
        or (each.type == LAUNCH_TEMPLATE and each.operation in {"replace", "update"})
    }
    for service in head.of_type(ECS_SERVICE):
        running = {(TASK_DEFINITION, service.name), (LAUNCH_TEMPLATE, service.name)}
        none_left = service.inputs.get("deploymentMinimumHealthyPercent") == 0
        if none_left and service.urn in base and anew & running:
            yield service.name


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
