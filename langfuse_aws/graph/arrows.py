"""The arrows of an architecture picture: who may talk to whom, and what else reaches a store.

An open port is an arrow from the node that shows a security group's members to another such node.
Besides, there are the rights of containers to buckets, the backups of AWS Backup, and the public
endpoints of an HTTP API and of App Runner, which no security group guards.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from langfuse_aws.graph.grouping import Grouping
from langfuse_aws.graph.main_resources import API, PLAN, VAULT, VPC, rules_into, whole
from langfuse_aws.graph.model import UNKNOWN, ResourceGraph
from langfuse_aws.graph.open_ports import ALL, INTERNET, open_ports
from langfuse_aws.graph.picture import Arrow, Node
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE, S3_BUCKET, TASK_DEFINITION

HTTPS: Final = "443"
RIGHT: Final = "IAM"
BACKUP: Final = "snapshots"
ROLE: Final = "aws:iam/role:Role"


def arrows(graph: ResourceGraph, grouping: Grouping) -> tuple[list[Arrow], list[Node]]:
    """Every arrow; and the nodes that it takes besides, for what is not in the stack."""
    finder = _Finder(graph, grouping.shown)
    ports: dict[tuple[str, str], set[str]] = {}
    outside: dict[str, set[tuple[str, str]]] = {}
    for each in open_ports(graph):
        target = finder.node(each.target)
        if each.source in graph:
            ports.setdefault((finder.node(each.source), target), set()).add(each.ports)
        else:
            outside.setdefault(each.source, set()).add((target, each.ports))
    for public in [*graph.of_type(API), *graph.of_type(APP_RUNNER_SERVICE)]:
        outside.setdefault(INTERNET[0], set()).add((finder.node(public.urn), HTTPS))
    for sources, opened in _alike(outside):
        node = _outside(graph, sources)
        finder.added.append(node)
        for target, port in opened:
            ports.setdefault((node.id, target), set()).add(port)
    found = {Arrow(*pair, _listed(given)) for pair, given in ports.items()}
    found |= {Arrow(*pair, RIGHT, "grant") for pair in _rights(graph, finder)}
    found |= {Arrow(*pair, BACKUP, "grant") for pair in _backups(graph, finder)}
    mutual = {each for each in found if each.kind == "grant" and each.source == each.target}
    return sorted(found - mutual), finder.added


class _Finder:
    """Which node stands for a resource that is not shown itself."""

    def __init__(self, graph: ResourceGraph, shown: Mapping[str, str]) -> None:
        self._graph = graph
        self._shown = dict(shown)
        self.added: list[Node] = []

    def node(self, urn: str) -> str:
        """The ID of a node; there will be a new one for what no node stands for."""
        if urn not in self._shown:
            self._shown[urn] = self._nearest(urn) or self._add(urn)
        return self._shown[urn]

    def _nearest(self, urn: str) -> str | None:
        """The node of who uses a resource; or else of what it has a component in common with."""
        if urn not in self._graph:
            return None
        resource = self._graph[urn]
        users = [
            each.urn
            for each in self._graph.resources
            if any(urn in urns for urns in each.origins.values())
        ]
        around = [
            each.urn
            for component in reversed(self._graph.components(resource))
            for each in sorted(self._graph.resources, key=lambda each: each.urn)
            if component in self._graph.components(each)
        ]
        found = [each for each in [*sorted(users), *around] if each in self._shown]
        return self._shown[found[0]] if found else None

    def _add(self, urn: str) -> str:
        if urn in self._graph:
            group = self._graph[urn]
            lines = ("security group", group.name)
            node = Node(_identity(group.name), str(group.inputs.get("description", "")), lines)
        else:
            node = Node(_identity(urn), "Not in this stack", ("security group", urn), "outside")
        self.added.append(node)
        return node.id


def _rights(graph: ResourceGraph, finder: _Finder) -> Iterator[tuple[str, str]]:
    """The buckets that the policies of containers' roles speak of."""
    containers = [(each, "taskRoleArn") for each in graph.of_type(TASK_DEFINITION)]
    containers += [(each, "instanceConfiguration") for each in graph.of_type(APP_RUNNER_SERVICE)]
    for task, key in containers:
        roles = graph.origins(task, key, ROLE)
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
            if any(role in graph.origins(policy, "role", ROLE) for role in roles):
                for bucket in graph.origins(policy, "policy", S3_BUCKET):
                    yield finder.node(whole(graph, task).urn), finder.node(bucket.urn)


def _backups(graph: ResourceGraph, finder: _Finder) -> Iterator[tuple[str, str]]:
    """What the plans of AWS Backup select, from the vault that the snapshots go to."""
    for selection in graph.of_type("aws:backup/selection:Selection"):
        for plan in graph.origins(selection, "planId", PLAN):
            vaults = [each for each in graph.of_type(VAULT) if rules_into(each, plan)]
            kept = [graph[urn] for urn in selection.origins.get("resources") or () if urn in graph]
            yield from (
                (finder.node(vault.urn), finder.node(whole(graph, each).urn))
                for vault in vaults
                for each in kept
            )


def _alike(
    outside: Mapping[str, set[tuple[str, str]]],
) -> list[tuple[list[str], set[tuple[str, str]]]]:
    """Sources that may do the same stand together."""
    merge_dimensions: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for source, opened in sorted(outside.items()):
        merge_dimensions.setdefault(tuple(sorted(opened)), []).append(source)
    return [(sources, set(opened)) for opened, sources in merge_dimensions.items()]


def _outside(graph: ResourceGraph, sources: Sequence[str]) -> Node:
    blocks = {str(vpc.inputs.get("cidrBlock")) for vpc in graph.of_type(VPC)}
    if set(sources) & set(INTERNET):
        title = "Internet"
    elif set(sources) <= blocks:
        title = "The VPC"
    else:
        title = "Outside"
    lines = tuple("known after the update" if each == UNKNOWN else each for each in sources)
    return Node(_identity(sources[0]), title, lines, "outside")


def _identity(text: str) -> str:
    return "from_" + re.sub(r"\W+", "_", text)


def _listed(ports: set[str]) -> str:
    """The ports in order of their numbers."""
    if ALL in ports:
        return ALL
    return ", ".join(sorted(ports, key=lambda each: (not each[0].isdigit(), len(each), each)))
