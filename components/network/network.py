"""Creates the VPC of a stack, its subnets, way out and S3 endpoint; or adopts one that exists.

A private subnet's default route is one resource whatever it leads to, so that a change of
`network.egress` gives it another target: AWS allows one route for a destination in a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx

from langfuse_aws.components.network import nat_instance
from langfuse_aws.components.network.endpoints import Endpoints, EndpointsArgs
from langfuse_aws.components.network.nat_gateways import NatGateways, NatGatewaysArgs
from langfuse_aws.components.network.nat_instance import NatInstance, NatInstanceArgs
from langfuse_aws.components.protection.replacement_guard import ReplacementGuard
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.network import ENDPOINTS, CreatedNetwork, ExistingNetwork
from langfuse_aws.settings.zones import UNFIT_ZONES, VPC_LINK_ZONES, Zone, with_vpc_links

AWSX_SUBNET: Final = ("awsx:ec2:Vpc", "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet")
"""Within what awsx makes a subnet's route table, NAT gateway and address."""


AMAZONS_NAME_SERVERS: Final = "AmazonProvidedDNS"
NO_DHCP_OPTIONS: Final = "default"
"""What DHCP options call Amazon's, and a VPC the want of options.
https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html"""


@dataclass(frozen=True)
class NetworkArgs:
    """What a network is made from."""

    settings: CreatedNetwork | ExistingNetwork
    location: Location
    log_retention_days: int
    guard: ReplacementGuard
    endpoint_services: Sequence[str] = ()
    """AWS's services that are all the way out there is, as their endpoints' names end."""
    hours: Hours | None = None
    """When a NAT instance runs; None: always."""
    named: bool = True
    """Whether something in the VPC is found by its name, as a ClickHouse of the stack's is."""


class Network(pulumi.ComponentResource):
    """The VPC, and which of its subnets are for what."""

    vpc_id: pulumi.Output[str]
    """ID of the VPC."""
    public_subnet_ids: pulumi.Output[Sequence[str]]
    """Subnets with a route to the internet gateway, one per zone."""
    private_subnet_ids: pulumi.Output[Sequence[str]]
    """Subnets for the stores, one per zone."""
    task_subnet_ids: pulumi.Output[Sequence[str]]
    """Subnets for tasks and instances: the public ones if egress is `none`. Known once there is a
    way out of them."""
    zones: Sequence[Zone]
    """Availability zones of `private_subnet_ids`, and of `task_subnet_ids`, in their order."""
    public_tasks: bool
    """Whether tasks and instances need public addresses to get out."""
    name_servers: Sequence[str] = ()
    """IPv4 addresses of an adopted VPC's own name servers; none: Amazon's answer, which no security
    group keeps anybody from."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self._region = args.location.region
        self.public_tasks = args.settings.public_tasks
        # No store can follow into another VPC.
        agreed = args.guard.remember(self, name, args.settings.identity)
        routes: list[pulumi.CustomResource] = []
        if isinstance(args.settings, CreatedNetwork):
            routes = self._create(name, args.settings, args, agreed, child)
        else:
            self._adopt(args.settings, named=args.named)
        self.task_subnet_ids = (
            self.public_subnet_ids
            if self.public_tasks
            else pulumi.Output.all(self.private_subnet_ids, *(each.id for each in routes)).apply(
                lambda found: found[0]
            )
        )
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "publicSubnetIds": self.public_subnet_ids,
                "privateSubnetIds": self.private_subnet_ids,
            }
        )

    def _create(
        self,
        name: str,
        settings: CreatedNetwork,
        args: NetworkArgs,
        agreed: pulumi.Resource,
        child: pulumi.ResourceOptions,
    ) -> list[pulumi.CustomResource]:
        public_blocks, private_blocks = settings.subnet_blocks()
        self.zones = first_zones(settings.zones, self)
        vpc = awsx.ec2.Vpc(
            name,
            cidr_block=settings.cidr,
            availability_zone_names=[zone.name for zone in self.zones],
            enable_dns_hostnames=True,
            enable_dns_support=True,
            # Those of awsx would bring default routes that no other way out can take over.
            nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(
                strategy=awsx.ec2.NatGatewayStrategy.NONE
            ),
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            subnet_specs=[
                awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PUBLIC, cidr_blocks=public_blocks),
                awsx.ec2.SubnetSpecArgs(
                    type=awsx.ec2.SubnetType.PRIVATE, cidr_blocks=private_blocks
                ),
            ],
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[agreed], transforms=[without_addresses]
            ),
        )
        self.vpc_id = vpc.vpc_id
        self.public_subnet_ids = vpc.public_subnet_ids
        self.private_subnet_ids = vpc.private_subnet_ids

        aws.ec2.DefaultSecurityGroup(
            f"{name}-default",
            vpc_id=self.vpc_id,
            ingress=[],
            egress=[],
            tags={"Name": f"{name}-default-closed"},
            opts=child,
        )
        public_tables = [self._table_of(self.public_subnet_ids, i) for i in range(settings.zones)]
        private_tables = [self._table_of(self.private_subnet_ids, i) for i in range(settings.zones)]
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{args.location.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[*public_tables, *private_tables],
            tags={"Name": f"{name}-s3"},
            opts=child,
        )
        if settings.flow_logs:
            self._log_flows(f"{name}-flow-logs", args, child)
        if settings.egress == ENDPOINTS:
            endpoints = EndpointsArgs(
                region=args.location.region,
                services=args.endpoint_services,
                vpc_id=self.vpc_id,
                cidr=settings.cidr,
                subnet_ids=self.private_subnet_ids,
            )
            return Endpoints(f"{name}-endpoints", endpoints, child).resources
        return [*self._default_routes(name, settings, args, private_tables)]

    def _default_routes(
        self,
        name: str,
        settings: CreatedNetwork,
        args: NetworkArgs,
        tables: Sequence[pulumi.Output[str]],
    ) -> list[aws.ec2.Route]:
        """Make the way out, and a route to it in each private subnet's table."""
        child = pulumi.ResourceOptions(parent=self)
        public = [
            self.public_subnet_ids.apply(lambda ids, index=index: ids[index])
            for index in range(settings.zones)
        ]
        targets: list[dict[str, Any]]
        depends_on: list[pulumi.Resource] = []
        match settings.egress:
            case "none" | "endpoints":
                return []
            case "natInstance":
                instance = NatInstance(
                    f"{name}-nat",
                    NatInstanceArgs(
                        location=args.location,
                        vpc_id=self.vpc_id,
                        cidr=settings.cidr,
                        subnet_id=public[0],
                        zone=self.zones[0].name,
                        hours=args.hours,
                    ),
                    child,
                )
                targets = [{"network_interface_id": instance.network_interface_id}] * len(tables)
                depends_on = [instance.group]
            case "natGateway" | "natGatewayPerZone":
                alone = settings.egress == "natGateway"
                gateways = NatGateways(
                    name,
                    NatGatewaysArgs(public[:1] if alone else public, within(self, *AWSX_SUBNET)),
                    child,
                )
                ids = gateways.ids * len(tables) if alone else gateways.ids
                targets = [{"nat_gateway_id": each} for each in ids]
        return [
            aws.ec2.Route(
                f"{name}-private-{number}",
                route_table_id=table,
                destination_cidr_block="0.0.0.0/0",
                **target,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=depends_on,
                    aliases=[
                        pulumi.Alias(
                            f"{name}-nat-{number}",
                            parent=within(self, nat_instance.COMPONENT),
                        ),
                        pulumi.Alias(
                            parent=within(self, *AWSX_SUBNET, "aws:ec2/routeTable:RouteTable")
                        ),
                    ],
                ),
            )
            for number, (table, target) in enumerate(zip(tables, targets, strict=True), start=1)
        ]

    def _table_of(self, subnet_ids: pulumi.Output[Sequence[str]], index: int) -> pulumi.Output[str]:
        """Look up the route table that awsx made for a subnet."""
        return aws.ec2.get_route_table_output(
            subnet_id=subnet_ids.apply(lambda ids: ids[index]),
            opts=pulumi.InvokeOutputOptions(parent=self),
        ).route_table_id

    def _log_flows(self, name: str, args: NetworkArgs, child: pulumi.ResourceOptions) -> None:
        group = aws.cloudwatch.LogGroup(name, retention_in_days=args.log_retention_days, opts=child)
        write = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        role = iam.service_role(
            name,
            "vpc-flow-logs.amazonaws.com",
            [iam.allow(write, [group.arn, pulumi.Output.concat(group.arn, ":*")])],
            args.location,
            opts=child,
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            opts=child,
        )

    def _adopt(self, settings: ExistingNetwork, *, named: bool) -> None:
        vpc_id, private = settings.vpc_id, settings.private_subnet_ids
        if named:
            vpc = aws.ec2.get_vpc(id=vpc_id, opts=pulumi.InvokeOptions(parent=self))
            _require_names(vpc)
            self.name_servers = _name_servers(vpc, self)
        adopted_zones(vpc_id, settings.public_subnet_ids, "publicSubnetIds", self)
        self.zones = adopted_zones(vpc_id, private, "privateSubnetIds", self)
        self.vpc_id = pulumi.Output.from_input(settings.vpc_id)
        self.public_subnet_ids = pulumi.Output.from_input(settings.public_subnet_ids)
        self.private_subnet_ids = pulumi.Output.from_input(settings.private_subnet_ids)

    def vpc_link_subnet_ids(self) -> pulumi.Output[Sequence[str]]:
        """Those of `task_subnet_ids` that a VPC link may be in; it reaches into the others too.

        Raises `pulumi.RunError` if there is none.
        """
        places = with_vpc_links(self._region, self.zones)
        if not places:
            here = ", ".join(f"{zone.name} ({zone.id})" for zone in self.zones)
            raise pulumi.RunError(
                f"langfuse:ingress.kind: apiGateway: API Gateway has no VPC links in {here}, but "
                f"in {VPC_LINK_ZONES[self._region].replace(' ', ', ')}. List a subnet of one of "
                "these, or set ingress.kind to alb, with a domain."
            )
        return self.task_subnet_ids.apply(lambda ids: [ids[place] for place in places])


def without_addresses(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """Have no subnet give out public addresses by itself, as awsx's public ones do.

    Tasks and instances that need one ask for it; so whatever else is started there gets none.
    """
    if args.type_ != "aws:ec2/subnet:Subnet":
        return None
    return pulumi.ResourceTransformResult({**args.props, "mapPublicIpOnLaunch": False}, args.opts)


def within(parent: pulumi.Resource, *types: str) -> pulumi.Output[str]:
    """URN of something of the last type, each within the one before and the first in `parent`.

    Its name is the parent's, since a URN has the types only of what is above.
    """
    return parent.urn.apply(
        lambda urn: "$".join([urn.rpartition("::")[0], *types]) + "::" + urn.rpartition("::")[2]
    )


def first_zones(count: int, parent: pulumi.Resource) -> list[Zone]:
    """Find the region's first `count` zones, by name, whatever their momentary state.

    A zone that is out of order for a day must not move subnets, nor must another ingress.
    """
    found = aws.get_availability_zones(
        all_availability_zones=True,
        exclude_zone_ids=[*UNFIT_ZONES],
        filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        opts=pulumi.InvokeOptions(parent=parent),
    )
    zones = sorted(map(Zone, found.names, found.zone_ids))
    if len(zones) < count:
        raise pulumi.RunError(
            f"langfuse:network.zones: {count}: this region has {len(zones)} fitting availability "
            f"zones ({', '.join(zone.name for zone in zones)}). Lower it, or choose another region."
        )
    return zones[:count]


def _require_names(vpc: aws.ec2.GetVpcResult) -> None:
    """Stop before the first resource where names of a private zone do not resolve.

    A VPC has no DNS hostnames unless it is the default one, or somebody has turned them on.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html
    """
    for attribute, option, on in (
        ("enableDnsSupport", "--enable-dns-support", vpc.enable_dns_support),
        ("enableDnsHostnames", "--enable-dns-hostnames", vpc.enable_dns_hostnames),
    ):
        if not on:
            raise pulumi.RunError(
                f"langfuse:network.vpcId: {vpc.id} has {attribute} off, and ClickHouse's name "
                f"would not resolve. aws ec2 modify-vpc-attribute --vpc-id {vpc.id} {option} "
                "turns it on."
            )


def _name_servers(vpc: aws.ec2.GetVpcResult, parent: pulumi.Resource) -> list[str]:
    """Find the name servers that the VPC's DHCP options have instead of Amazon's.

    https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html
    """
    if vpc.dhcp_options_id == NO_DHCP_OPTIONS:
        return []
    found = aws.ec2.get_vpc_dhcp_options(
        dhcp_options_id=vpc.dhcp_options_id, opts=pulumi.InvokeOptions(parent=parent)
    )
    servers = found.domain_name_servers
    return [each for each in servers if each != AMAZONS_NAME_SERVERS and ":" not in each]


def adopted_zones(
    vpc_id: str, subnet_ids: Sequence[str], key: str, parent: pulumi.Resource
) -> list[Zone]:
    """Check that subnets are in the VPC and in two or more zones; returns their zones."""
    invoke_opts = pulumi.InvokeOptions(parent=parent)
    subnets = [aws.ec2.get_subnet(id=each, opts=invoke_opts) for each in subnet_ids]
    foreign = [subnet.id for subnet in subnets if subnet.vpc_id != vpc_id]
    if foreign:
        raise pulumi.RunError(
            f"langfuse:network.{key}: {', '.join(foreign)} not in {vpc_id}. "
            "List subnets of the adopted VPC."
        )
    zones = [Zone(subnet.availability_zone, subnet.availability_zone_id) for subnet in subnets]
    if len(set(zones)) < 2:
        raise pulumi.RunError(
            f"langfuse:network.{key}: all in {zones[0].name}. "
            "List subnets of two or more availability zones."
        )
    return zones
