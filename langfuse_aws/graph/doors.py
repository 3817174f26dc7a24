"""Who may talk to whom: the ingress rules of a stack's security groups, in each of their forms.

Egress rules are left out, and so are network ACLs. Groups are told by what a value comes from,
because a preview does not know their IDs, or else by their IDs. Where an inline block names several
groups that are not known yet, each is taken for a source of every rule of that group.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import UNKNOWN, Resource, ResourceGraph, has_unknown

GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"

ALL: Final = "all"
_ALL_PROTOCOLS: Final = "-1"
_BLOCKS: Final = ("cidrBlocks", "ipv6CidrBlocks", "prefixListIds")


@dataclass(frozen=True, order=True)
class Door:
    """A source that a security group lets in at a port."""

    source: str
    """URN of a group of this graph; or a CIDR block, a prefix list's ID, another group's ID."""
    target: str
    """URN of a group of this graph, or another group's ID."""
    ports: str
    """`443`, `8000-8080`, `53/udp`, `icmp`, or `all`."""


def doors(graph: ResourceGraph) -> list[Door]:
    """Every door of a stack, sorted."""
    return sorted(
        {
            Door(source, target, ports)
            for rule in graph.resources
            for source, target, ports in _openings(graph, rule)
        }
    )


def _openings(graph: ResourceGraph, rule: Resource) -> Iterator[tuple[str, str, str]]:
    """The source, target and ports of each door that a resource opens."""
    given = rule.inputs
    if rule.type == INGRESS_RULE:
        sources = [given[key] for key in ("cidrIpv4", "cidrIpv6", "prefixListId") if key in given]
        sources += _groups(graph, rule, "referencedSecurityGroupId", given)
        ports = _ports(given, "ipProtocol")
        for target in _groups(graph, rule, "securityGroupId", given):
            yield from ((source, target, ports) for source in sources)
    elif rule.type == RULE and given.get("type") == "ingress":
        ports = _ports(given, "protocol")
        for target in _groups(graph, rule, "securityGroupId", given):
            sources = _blocks(given) + _groups(graph, rule, "sourceSecurityGroupId", given)
            sources += [target] if given.get("self") else []
            yield from ((source, target, ports) for source in sources)
    elif rule.type in (GROUP, DEFAULT_GROUP) and isinstance(given.get("ingress"), list):
        for each in cast("list[Mapping[str, Any]]", given["ingress"]):
            sources = _blocks(each) + _inline_groups(graph, rule, each)
            sources += [rule.urn] if each.get("self") else []
            yield from ((source, rule.urn, _ports(each, "protocol")) for source in sources)


def _blocks(given: Mapping[str, Any]) -> list[str]:
    return [block for key in _BLOCKS for block in given.get(key) or ()]


def _groups(graph: ResourceGraph, rule: Resource, key: str, given: Mapping[str, Any]) -> list[str]:
    if key not in given:
        return []
    known = [each.urn for each in graph.origins(rule, key, GROUP)]
    return known or [_by_id(graph, given[key])]


def _inline_groups(graph: ResourceGraph, rule: Resource, block: Mapping[str, Any]) -> list[str]:
    ids = cast("list[str]", block.get("securityGroups") or [])
    if has_unknown(ids):
        return [each.urn for each in graph.origins(rule, "ingress", GROUP)] or [UNKNOWN]
    return [_by_id(graph, each) for each in ids]


def _by_id(graph: ResourceGraph, group_id: str) -> str:
    found = [each.urn for each in graph.of_type(GROUP) if each.outputs.get("id") == group_id]
    return found[0] if found else group_id


def _ports(given: Mapping[str, Any], protocol_key: str) -> str:
    protocol = str(given.get(protocol_key))
    first, last = (str(given.get(key, -1)) for key in ("fromPort", "toPort"))
    if protocol == _ALL_PROTOCOLS:
        return ALL
    if protocol not in ("tcp", "udp"):
        return protocol
    ports = first if first == last else f"{first}-{last}"
    return ports if protocol == "tcp" else f"{ports}/{protocol}"
