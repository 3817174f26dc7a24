"""Who may talk to whom: the rules of a stack's security groups, in each of their forms.

Network ACLs are left out. Groups are told by what a value comes from, because a preview does not
know their IDs, or else by their IDs. Where an inline block names several groups that are not known
yet, each is taken for a source of every rule of that group.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from langfuse_aws.graph.model import Resource, ResourceGraph, has_unknown

SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
DEFAULT_SECURITY_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"

INTERNET: Final = ("0.0.0.0/0", "::/0")
ALL: Final = "all"
ALL_PROTOCOLS: Final = "-1"

Direction = Literal["ingress", "egress"]


@dataclass(frozen=True)
class GroupRule:
    """A rule of a security group, as its resource says it. A preview may not know each value."""

    blocks: tuple[str, ...]
    """CIDR blocks that it lets in, or out to."""
    prefix_lists: tuple[str, ...]
    groups: tuple[str, ...]
    """IDs of the other groups."""
    groups_from: str
    """The input that the other groups come from."""
    own_from: str
    """The input that the rule's own group comes from; empty: the resource is the group."""
    itself: bool
    """Whether it lets in its own group."""
    protocol: str
    """`tcp`, `udp`, `icmp`, or ALL_PROTOCOLS."""
    first_port: Any
    last_port: Any


def rules(resource: Resource, direction: Direction) -> Iterator[GroupRule]:
    """The rules of one direction that a resource makes; none, if it makes no such rules."""
    given = resource.inputs
    if resource.type == {"ingress": INGRESS_RULE, "egress": EGRESS_RULE}[direction]:
        yield GroupRule(
            blocks=_listed(given, "cidrIpv4", "cidrIpv6"),
            prefix_lists=_listed(given, "prefixListId"),
            groups=_listed(given, "referencedSecurityGroupId"),
            groups_from="referencedSecurityGroupId",
            own_from="securityGroupId",
            itself=False,
            protocol=str(given.get("ipProtocol", ALL_PROTOCOLS)),
            first_port=given.get("fromPort"),
            last_port=given.get("toPort"),
        )
    elif resource.type == RULE and given.get("type") == direction:
        yield _older(given, "sourceSecurityGroupId", "sourceSecurityGroupId", "securityGroupId")
    elif resource.type in (SECURITY_GROUP, DEFAULT_SECURITY_GROUP) and isinstance(
        given.get(direction), list
    ):
        for each in cast("list[Any]", given[direction]):
            if isinstance(each, Mapping):
                yield _older(cast("Mapping[str, Any]", each), "securityGroups", direction, "")


def _older(given: Mapping[str, Any], groups: str, groups_from: str, own_from: str) -> GroupRule:
    return GroupRule(
        blocks=_listed(given, "cidrBlocks", "ipv6CidrBlocks"),
        prefix_lists=_listed(given, "prefixListIds"),
        groups=_listed(given, groups),
        groups_from=groups_from,
        own_from=own_from,
        itself=bool(given.get("self")),
        protocol=str(given.get("protocol", ALL_PROTOCOLS)),
        first_port=given.get("fromPort"),
        last_port=given.get("toPort"),
    )


def _listed(given: Mapping[str, Any], *keys: str) -> tuple[Any, ...]:
    """The values of some inputs, each of which may be one or many."""
    found: list[Any] = []
    for key in keys:
        value = given.get(key)
        found += cast("list[Any]", value) if isinstance(value, list) else [value]
    return tuple(each for each in found if each is not None)


@dataclass(frozen=True, order=True)
class OpenPort:
    """A source that a security group lets in at a port."""

    source: str
    """URN of a group of this graph; or a CIDR block, a prefix list's ID, another group's ID."""
    target: str
    """URN of a group of this graph, or another group's ID."""
    ports: str
    """`443`, `8000-8080`, `53/udp`, `icmp`, or `all`."""

    @property
    def public(self) -> bool:
        """Whether the whole internet is the source."""
        return self.source in INTERNET


def open_ports(graph: ResourceGraph) -> list[OpenPort]:
    """Every open port of a stack, sorted."""
    return sorted(
        {
            OpenPort(source, target, _ports(rule))
            for resource in graph.resources
            for rule in rules(resource, "ingress")
            for target in _targets(graph, resource, rule)
            for source in _sources(graph, resource, rule, target)
        }
    )


def _targets(graph: ResourceGraph, resource: Resource, rule: GroupRule) -> list[str]:
    if not rule.own_from:
        return [resource.urn]
    return _groups(graph, resource, rule.own_from, _listed(resource.inputs, rule.own_from))


def _sources(graph: ResourceGraph, resource: Resource, rule: GroupRule, target: str) -> list[str]:
    groups = _groups(graph, resource, rule.groups_from, rule.groups)
    return [*rule.blocks, *rule.prefix_lists, *groups, *([target] if rule.itself else [])]


def _groups(graph: ResourceGraph, resource: Resource, key: str, ids: tuple[str, ...]) -> list[str]:
    """The groups that an input names, of which an inline block has those of every rule."""
    inline = key in get_args(Direction)
    if not ids or (inline and not has_unknown(list(ids))):
        return [_by_id(graph, each) for each in ids]
    known = [each.urn for each in graph.origins(resource, key, SECURITY_GROUP)]
    return known or [_by_id(graph, each) for each in ids]


def _by_id(graph: ResourceGraph, group_id: str) -> str:
    found = [
        each.urn for each in graph.of_type(SECURITY_GROUP) if each.outputs.get("id") == group_id
    ]
    return found[0] if found else group_id


def _ports(rule: GroupRule) -> str:
    first, last = (str(-1 if each is None else each) for each in (rule.first_port, rule.last_port))
    if rule.protocol == ALL_PROTOCOLS:
        return ALL
    if rule.protocol not in ("tcp", "udp"):
        return rule.protocol
    ports = first if first == last else f"{first}-{last}"
    return ports if rule.protocol == "tcp" else f"{ports}/{rule.protocol}"
