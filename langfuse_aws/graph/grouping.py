"""Puts a stack's resources into nodes, and nodes into frames, as its components nest.

All are called by AWS's own words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from langfuse_aws.graph.main_resources import describe, holds_data, main_resources
from langfuse_aws.graph.model import STACK_TYPE, Resource, ResourceGraph
from langfuse_aws.graph.picture import Frame, Item, Node
from langfuse_aws.graph.resource_types import RESOURCE_TYPES

Detail = Literal["components", "resources"]


@dataclass(frozen=True)
class Grouping:
    """The frames and nodes of a stack, and which node shows what."""

    children: tuple[Item, ...]
    shown: Mapping[str, str]
    """By URN of a resource that is shown, the ID of its node."""


def group(graph: ResourceGraph, detail: Detail) -> Grouping:
    """Group a stack: its main resources one by one, or every resource by its component."""
    components = [each for each in graph.resources if each.type != STACK_TYPE and not each.custom]
    tops = [each for each in components if not graph.component(each)]
    main = {each.urn for each in main_resources(graph)}
    shortest = min((each.name for each in tops), key=len, default="")
    prefix = shortest if all(each.name.startswith(shortest) for each in tops) else ""
    grouper = _Grouper(graph, main, prefix, everything=detail == "resources")
    return Grouping(in_order([item for top in tops for item in grouper.items(top)]), grouper.shown)


def in_order(items: Sequence[Item]) -> tuple[Item, ...]:
    """Sort what stands side by side."""
    return tuple(sorted(items, key=lambda item: item.id))


@dataclass
class _Grouper:
    graph: ResourceGraph
    main: set[str]
    """URNs."""
    prefix: str
    """What the name of each component of the stack begins with."""
    everything: bool
    shown: dict[str, str] = field(default_factory=dict[str, str])

    def items(self, component: Resource) -> list[Item]:
        """What is shown of a component: nothing, one node, or one frame."""
        inside = [each for each in self.graph.resources if self.graph.component(each) == component]
        own = sorted((each for each in inside if each.custom), key=lambda each: each.urn)
        main = [each for each in own if each.urn in self.main]
        items: list[Item] = []
        if self.everything:
            items += self._whole(component, own)
        elif len(main) == 1:
            items += [replace(self._part(component, main[0]), title=component_title(component))]
        else:
            items += [self._part(component, each) for each in main]
        title = component_title(component)
        same: set[str] = set()
        for each in inside:
            if not each.custom:
                below = self.items(each)
                items += below
                same |= {item.id for item in below if each.name == component.name}
        if len(items) == 1 and items[0].id in same and not self.everything:
            # What has the same name is the same thing, seen from further away.
            return [replace(items[0], title=title)]
        if len(items) > 1 or (self.everything and items and not own):
            return [Frame(f"{self._id(component)}_frame", title, in_order(items))]
        return items

    def _part(self, component: Resource, resource: Resource) -> Node:
        """A node for a main resource, whose title tells it from others of its component."""
        lines = describe(self.graph, resource)
        rest = _without(resource.name, component.name)
        node = Node(
            self._id(resource),
            rest.capitalize() or component_title(component),
            lines,
            "store" if holds_data(resource) else "service",
        )
        self.shown[resource.urn] = node.id
        return node

    def _whole(self, component: Resource, own: Sequence[Resource]) -> list[Node]:
        """A node for everything that belongs to a component directly."""
        lines = [", ".join(describe(self.graph, each)) for each in own if each.urn in self.main]
        others: dict[str, list[str]] = {}
        for each in own:
            if each.urn not in self.main:
                name = _without(each.name, self.prefix) or each.name
                others.setdefault(term(each.type), []).append(name)
        lines += [f"{what}: {', '.join(names)}" for what, names in sorted(others.items())]
        kind = "store" if any(map(holds_data, own)) else "service"
        node = Node(self._id(component), component_title(component), tuple(lines), kind)
        self.shown.update({each.urn: node.id for each in own})
        return [node] if own else []

    def _id(self, resource: Resource) -> str:
        """Such as `ecs_service_web`."""
        package, module, name = resource.type.split(":")
        parts = [module.split("/")[0]] if package == "aws" else []
        parts += [name[0].lower() + name[1:], _without(resource.name, self.prefix)]
        return re.sub(r"\W+", "_", "_".join(filter(None, parts)))


def _without(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).strip("-")


_COMPONENTS: Final = {
    "ClickHouse": "ClickHouse",
    "ClickHouseBackup": "ClickHouse backup",
    "ClickHouseHost": "ClickHouse host",
    "NatInstance": "NAT instance",
    "Postgres": "PostgreSQL",
    "Redis": "Valkey",
    "Storage": "Object storage",
    "Vpc": "VPC",
    "WebAcl": "Web application firewall",
}
"""Classes whose names, taken apart, would read wrong."""

_WORDS: Final = {
    "acl": "ACL",
    "cors": "CORS",
    "dns": "DNS",
    "eip": "Elastic IP",
    "nat": "NAT",
    "vpc": "VPC",
}


def component_title(component: Resource) -> str:
    """What a component is called: `PostgreSQL`, `Langfuse web`."""
    name = component.type.rsplit(":", 1)[-1]
    return _COMPONENTS.get(name) or _words(name)


def term(token: str) -> str:
    """What AWS calls a type: `IAM role policy`, `ECS task definition`."""
    if token in RESOURCE_TYPES:
        return RESOURCE_TYPES[token].title
    package, module, name = token.split(":")
    service = module.split("/")[0] if package == "aws" else package
    words = _words(name)
    named = words.startswith(tuple(_WORDS.values()))
    return f"{service.capitalize()} {words if named else words[0].lower() + words[1:]}"


def _words(name: str) -> str:
    """Take a class name apart: `NatGateway` is `NAT gateway`."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower().split(" ")
    text = " ".join(_WORDS.get(part, part) for part in parts)
    return f"{text[0].upper()}{text[1:]}"
