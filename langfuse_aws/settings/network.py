"""The `network` section: a VPC of our own, or one that is adopted."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from langfuse_aws.settings.section import Form, Section, invalid

ZONE_SLOTS: Final = 4
"""The VPC is always divided into this many zones, so that adding a zone moves no subnet."""

CIDR_PREFIXES: Final = range(16, 25)
"""/16 is the largest VPC AWS makes; below /24 a load balancer's subnet (/27) no longer fits."""

REFUSED_RANGES: Final = tuple(
    ipaddress.IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")
)
"""https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

SUBNETS_PER_ZONE: Final = 2
"""A public and a private one, each a half of the zone's slot."""

RESERVED_ADDRESSES: Final = 5
"""Of every subnet. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""

SubnetId = Annotated[
    str,
    Form(
        r"^subnet-[0-9a-f]{8,17}$",
        "must be the ID of a subnet, such as subnet-0123456789abcdef0",
        "see aws ec2 describe-subnets, which shows the IDs",
    ),
]
VpcId = Annotated[
    str,
    Form(
        r"^vpc-[0-9a-f]{8,17}$",
        "must be the ID of a VPC, such as vpc-0123456789abcdef0",
        "see aws ec2 describe-vpcs, which shows the IDs",
    ),
]


EndpointService = Annotated[
    str,
    Form(
        r"^[a-z0-9][a-z0-9.-]*$",
        "must be how the name of an endpoint service ends, such as bedrock-runtime of "
        "com.amazonaws.eu-west-1.bedrock-runtime",
        "see aws ec2 describe-vpc-endpoint-services, which shows the names",
    ),
]

ENDPOINTS: Final = "endpoints"
"""The value of `egress` that leads to AWS services alone."""


class CreatedNetwork(Section):
    """A VPC with public and private subnets in `zones` availability zones."""

    cidr: str = Field(description="CIDR block of the VPC, /16 to /24")
    zones: int = Field(ge=2, le=ZONE_SLOTS, description="Availability zones")
    egress: Literal["none", "natInstance", "natGateway", "natGatewayPerZone", "endpoints"] = Field(
        description="Way out for tasks: `none` puts them in public subnets with closed security "
        "groups; the others keep them private, and `endpoints` leads to AWS services alone, see "
        "docs/operations.md",
    )
    endpoints: list[EndpointService] = Field(
        [],
        description="More of AWS's services that tasks reach, such as `bedrock-runtime` and "
        "`lambda`, with `egress` `endpoints`; each costs by the hour and zone",
    )
    flow_logs: bool = Field(description="VPC flow logs to CloudWatch Logs")

    @field_validator("cidr")
    @classmethod
    def _cidr(cls, value: str) -> str:
        bound = "must be an IPv4 network of /16 to /24, such as 10.0.0.0/16"
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            raise invalid(f"{bound} ({error})", "use the network's first address") from None
        if value != str(network):  # Python takes a mask too, and EC2 does not
            raise invalid(bound, "write it as address/bits")
        if network.prefixlen not in CIDR_PREFIXES:
            raise invalid(bound, "a /16 leaves the most room; it costs nothing")
        if any(network.overlaps(each) for each in REFUSED_RANGES):
            *most, last = map(str, REFUSED_RANGES)
            raise invalid(
                f"is in a range that EC2 makes no VPC of: {', '.join(most)} and {last}",
                "choose a private one, such as 10.0.0.0/16",
            )
        return value

    @field_validator("endpoints")
    @classmethod
    def _endpoints(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if value and info.data.get("egress") not in (None, ENDPOINTS):
            raise invalid(
                "exists only for network.egress endpoints",
                "remove it: any other way out leads to all of AWS",
            )
        if len(set(value)) < len(value):
            raise invalid("has a service twice", "name each service once")
        return value

    @property
    def public_tasks(self) -> bool:
        """Whether tasks and instances sit in public subnets, with public addresses."""
        return self.egress == "none"

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it this VPC and no other, and what of it stores may lie in."""
        return {"network.cidr": self.cidr, "network.zones": self.zones}

    @property
    def zone_count(self) -> int:
        """Zones that have a subnet."""
        return self.zones

    @property
    def addresses(self) -> int:
        """Addresses for tasks in all zones: those of their subnets, which others take a few of."""
        subnet = ipaddress.IPv4Network(self.cidr).num_addresses // (ZONE_SLOTS * SUBNETS_PER_ZONE)
        return self.zones * (subnet - RESERVED_ADDRESSES)

    def subnet_blocks(self) -> tuple[list[str], list[str]]:
        """CIDR blocks of the public and of the private subnets, one of each per zone.

        Every zone slot has two halves. The blocks of a zone do not depend on how many zones are
        in use.
        """
        halves = list(ipaddress.IPv4Network(self.cidr).subnets(new_prefix=self._prefix() + 3))
        private = [str(block) for block in halves[0::2][: self.zones]]
        public = [str(block) for block in halves[1::2][: self.zones]]
        return public, private

    def _prefix(self) -> int:
        return ipaddress.IPv4Network(self.cidr).prefixlen


class ExistingNetwork(Section):
    """A VPC that exists. Its routes, endpoints and default security group are its owner's."""

    vpc_id: VpcId = Field(description="The VPC to adopt instead of making one")
    private_subnet_ids: list[SubnetId] = Field(
        description="Adopted private subnets, with a way out, in two or more zones"
    )
    public_subnet_ids: list[SubnetId] = Field(
        description="Adopted public subnets, in two or more zones"
    )

    @field_validator("private_subnet_ids", "public_subnet_ids")
    @classmethod
    def _two_zones(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if len(set(value)) < 2 or len(set(value)) < len(value):
            kind = "private" if info.field_name == "private_subnet_ids" else "public"
            raise invalid(
                "needs two or more different subnets, in two or more availability zones",
                f"list the VPC's {kind} subnets",
            )
        return value

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it this VPC and no other, and what of it stores may lie in."""
        return {
            "network.vpcId": self.vpc_id,
            "network.privateSubnetIds": sorted(self.private_subnet_ids),
        }

    @property
    def zone_count(self) -> int:
        """Zones that have a private subnet, if each of them is in another one."""
        return len(self.private_subnet_ids)

    @property
    def public_tasks(self) -> bool:
        """Tasks go to the private subnets."""
        return False


def network_kind(value: Any) -> str:
    """`adopted` if any key that only an adopted VPC has is set."""
    keys = set(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else set(dir(value))
    adopting = {"vpcId", "vpc_id", "privateSubnetIds", "publicSubnetIds"}
    return "adopted" if keys & adopting else "created"


Network = Annotated[
    Annotated[CreatedNetwork, Tag("created")] | Annotated[ExistingNetwork, Tag("adopted")],
    Discriminator(network_kind),
]
