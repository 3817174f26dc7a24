"""Which subnets and NAT gateways `awsx:ec2:Vpc` makes, and where each lies.

Pure. IPv6, IPAM, VPC endpoints and given Elastic IPs are left out, and so are subnet strategies
other than `Auto`; layouts with gaps or overlaps are not diagnosed.
"""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT_BLOCK = "10.0.0.0/16"
DEFAULT_ZONES = 3
KINDS = ("public", "private", "isolated")
UNUSED = "unused"

_LARGEST_ZONE_MASK = 16
_SMALLEST_ZONE_MASK = 26
_ADDRESS_BITS = 32
STRATEGY = "Auto"
_STRATEGIES = ("none", "single", "oneperaz")

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Subnet:
    """A subnet as it is going to be."""

    name: str
    kind: str
    type: str
    zone_index: int
    zone: str
    cidr_block: str
    tags: Any


@dataclass(frozen=True)
class Layout:
    """What the component consists of."""

    subnets: tuple[Subnet, ...]
    specs: tuple[dict[str, Any], ...]
    gateway_zones: tuple[int, ...]
    """The zones, by index, that have a NAT gateway in their first public subnet."""

    def of_kind(self, kind: str) -> list[Subnet]:
        """The subnets of one kind, in the order in which they are made."""
        return [subnet for subnet in self.subnets if subnet.kind == kind]

    def gateway_for(self, subnet: Subnet) -> int | None:
        """The zone whose NAT gateway a subnet uses; None if it has no way out."""
        if subnet.kind != "private" or not self.gateway_zones:
            return None
        here = subnet.zone_index
        return here if here in self.gateway_zones else self.gateway_zones[0]


def layout(name: str, arguments: Mapping[str, Any], zones: Sequence[str]) -> Layout:
    """The layout for a component's arguments."""
    if arguments.get("subnetStrategy") != STRATEGY:
        message = f"subnetStrategy must be {STRATEGY}: offline/vpc_layout.py knows no other"
        raise ValueError(message)
    network = ipaddress.IPv4Network(arguments.get("cidrBlock") or DEFAULT_BLOCK)
    mask = arguments.get("availabilityZoneCidrMask") or network.prefixlen + _bits(len(zones))
    specs = [dict(spec) for spec in arguments.get("subnetSpecs") or _default_specs(int(mask))]
    subnets: list[Subnet] = []
    for index, zone in enumerate(zones):
        start = int(network.network_address) + index * _size(int(mask))
        blocks = _blocks(specs, start, int(mask), index)
        made = [_subnet(name, *pair, index, zone) for pair in zip(specs, blocks, strict=True)]
        used = [subnet for subnet in made if subnet.kind != UNUSED]
        subnets += sorted(used, key=lambda subnet: KINDS.index(subnet.kind))
    return Layout(tuple(subnets), tuple(specs), _gateway_zones(arguments, subnets, len(zones)))


def zone_count(arguments: Mapping[str, Any]) -> int:
    """How many zones are asked for where they are not named."""
    return int(arguments.get("numberOfAvailabilityZones") or DEFAULT_ZONES)


def _default_specs(zone_mask: int) -> list[Spec]:
    if zone_mask > _SMALLEST_ZONE_MASK:
        message = f"default subnets need a /{_SMALLEST_ZONE_MASK} per zone, not a /{zone_mask}"
        raise ValueError(message)
    base = max(zone_mask, _LARGEST_ZONE_MASK)
    return [{"type": "Private", "cidrMask": base + 1}, {"type": "Public", "cidrMask": base + 2}]


def _blocks(specs: Sequence[Spec], start: int, zone_mask: int, index: int) -> list[str]:
    """The CIDR block of each spec in one zone, one after the other."""
    end = start + _size(zone_mask)
    blocks: list[str] = []
    for spec in specs:
        if spec.get("cidrBlocks"):
            blocks.append(spec["cidrBlocks"][index])
            continue
        mask = _mask(spec, zone_mask, len(specs))
        start = -(-start // _size(mask)) * _size(mask)
        if start + _size(mask) > end:
            message = f"the subnets do not fit into a /{zone_mask} per availability zone: {spec}"
            raise ValueError(message)
        blocks.append(f"{ipaddress.IPv4Address(start)}/{mask}")
        start += _size(mask)
    return blocks


def _mask(spec: Spec, zone_mask: int, count: int) -> int:
    if spec.get("cidrMask"):
        return int(spec["cidrMask"])
    if spec.get("size"):
        return _ADDRESS_BITS - _bits(int(spec["size"]))
    return zone_mask + _bits(count)


def _subnet(name: str, spec: Spec, block: str, index: int, zone: str) -> Subnet:
    kind = _kind(spec)
    full_name = f"{name}-{spec.get('name') or kind}-{index + 1}"
    return Subnet(full_name, kind, str(spec["type"]), index, zone, block, spec.get("tags"))


def _gateway_zones(
    arguments: Mapping[str, Any], subnets: Sequence[Subnet], zones: int
) -> tuple[int, ...]:
    gateways: Mapping[str, Any] = arguments.get("natGateways") or {}
    given = str(gateways.get("strategy") or "OnePerAz")
    strategy = given.lower()
    if strategy not in _STRATEGIES:
        message = f"Unknown NatGateway strategy {given}"
        raise ValueError(message)
    kinds = {subnet.kind for subnet in subnets}
    if strategy != "none" and not ("public" in kinds and kinds & {"private", "isolated"}):
        message = (
            "If NAT Gateway strategy is 'OnePerAz' or 'Single', both private and public subnets "
            "must be declared. The private subnet creates the need for a NAT Gateway, and the "
            "public subnet is required to host the NAT Gateway resource."
        )
        raise ValueError(message)
    return tuple(range({"none": 0, "single": 1, "oneperaz": zones}[strategy]))


def _kind(spec: Spec) -> str:
    kind = str(spec["type"]).lower()
    if kind not in (*KINDS, UNUSED):
        message = f"unknown subnet type {spec['type']!r}"
        raise ValueError(message)
    return kind


def _bits(count: int) -> int:
    """How many bits tell `count` things apart."""
    return math.ceil(math.log2(count)) if count else 0


def _size(mask: int) -> int:
    return int(2 ** (_ADDRESS_BITS - mask))
