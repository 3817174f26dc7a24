"""Reads what security groups let in and out, from rules and from groups that have rules inside."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from langfuse_aws.graph.model import Resource
from langfuse_aws.policy.inputs import Values, is_known, parts, several

GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"

WIDEST_PREFIX: Final = 8
"""A block with a shorter prefix is taken for the whole internet."""
EVERY_PORT: Final = 65_535
"""Ports 1 to 65535, or more, are every port."""


@dataclass(frozen=True)
class Door:
    """What a security group lets in or out."""

    block: str
    ports: range | None
    """None for every port."""

    @property
    def leads_anywhere(self) -> bool:
        """Whether it is open to the whole internet, or to a large part of it."""
        return ipaddress.ip_network(self.block, strict=False).prefixlen < WIDEST_PREFIX

    @property
    def where(self) -> str:
        """The ports in words."""
        if self.ports is None:
            return "every port"
        first, last = self.ports[0], self.ports[-1]
        return f"port {first}" if first == last else f"ports {first} to {last}"


def doors(resource: Resource, direction: Literal["ingress", "egress"]) -> Iterator[Door]:
    """The doors of a rule, or those written into the group itself, as far as they are known."""
    inputs = resource.inputs
    if resource.type in (GROUP, DEFAULT_GROUP):
        rules = parts(inputs, direction)
    elif resource.type == GROUP_RULE:
        rules = [inputs] if inputs.get("type") == direction else []
    else:
        rules = [inputs]
    for rule in rules:
        if is_known([rule.get(key) for key in ("fromPort", "toPort", "ipProtocol", "protocol")]):
            for key in ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"):
                for block in several(rule.get(key)):
                    yield Door(block, _ports(rule))


def _ports(rule: Values) -> range | None:
    first, last = rule.get("fromPort"), rule.get("toPort")
    protocol = str(rule.get("ipProtocol", rule.get("protocol", "-1")))
    if protocol == "-1" or first is None or last is None:
        return None
    ports = range(int(first), int(last) + 1)
    return None if len(ports) >= EVERY_PORT else ports
