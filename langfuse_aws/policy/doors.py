"""Which blocks of addresses security groups let in and out, as far as that is known."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from langfuse_aws.graph.doors import ALL_PROTOCOLS, Direction, GroupRule, rules
from langfuse_aws.graph.model import Resource
from langfuse_aws.policy.inputs import is_known

WIDEST_PREFIX: Final = 8
"""A block with a shorter prefix is taken for the whole internet."""
EVERY_PORT: Final = 65_535
"""Ports 1 to 65535, or more, are every port."""


@dataclass(frozen=True)
class OpenBlock:
    """A block of addresses that a security group lets in, or out to."""

    block: str
    ports: range | None
    """None for every port."""

    @property
    def leads_anywhere(self) -> bool:
        """Whether it is the whole internet, or a large part of it."""
        return ipaddress.ip_network(self.block, strict=False).prefixlen < WIDEST_PREFIX

    @property
    def where(self) -> str:
        """The ports in words."""
        if self.ports is None:
            return "every port"
        first, last = self.ports[0], self.ports[-1]
        return f"port {first}" if first == last else f"ports {first} to {last}"


def open_blocks(resource: Resource, direction: Direction) -> Iterator[OpenBlock]:
    """The blocks of a rule, or of those written into the group itself."""
    for rule in rules(resource, direction):
        if is_known([rule.protocol, rule.first_port, rule.last_port]):
            yield from (OpenBlock(each, _ports(rule)) for each in rule.blocks if is_known(each))


def _ports(rule: GroupRule) -> range | None:
    first, last = rule.first_port, rule.last_port
    if rule.protocol == ALL_PROTOCOLS or first is None or last is None:
        return None
    ports = range(int(first), int(last) + 1)
    return None if len(ports) >= EVERY_PORT else ports
