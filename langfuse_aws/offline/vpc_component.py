"""The component `awsx:ec2:Vpc`, whose children are those of awsx 3, by name and by parent.

Which subnets there are is up to `langfuse_aws.offline.vpc_layout`.
"""

from importlib.metadata import version
from typing import Any

import pulumi

from langfuse_aws.offline.vpc_layout import DEFAULT_BLOCK, KINDS, Subnet, layout, zone_count

VPC = "awsx:ec2:Vpc"

_ANYWHERE = "0.0.0.0/0"
_AWS_VERSION = version("pulumi-aws")
_GIVEN_TO_VPC = (
    "enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics", "instanceTenancy",
)  # fmt: skip
_LISTS = ("subnets", "routeTables", "routeTableAssociations", "routes", "natGateways", "eips")

Arguments = dict[str, Any]


class Aws(pulumi.CustomResource):
    """A resource of aws by its token, so that the SDK of aws need not be loaded."""

    def __init__(
        self, token: str, name: str, properties: Arguments, parent: pulumi.Resource
    ) -> None:
        depends_on = [parent] if isinstance(parent, pulumi.CustomResource) else None
        options = pulumi.ResourceOptions(parent=parent, depends_on=depends_on, version=_AWS_VERSION)
        super().__init__(token, name, properties, options)


class Vpc(pulumi.ComponentResource):
    """A VPC with its subnets, gateways and routes."""

    def __init__(
        self, name: str, arguments: Arguments, options: pulumi.ResourceOptions | None
    ) -> None:
        super().__init__(VPC, name, {}, options)
        self._name = name
        self._arguments = arguments
        self._made: dict[str, list[Aws]] = {kind: [] for kind in _LISTS}
        self._of_kind: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        self._gateways: dict[int, Aws] = {}
        self._layout = layout(name, arguments, self._zones())
        self._vpc = self._make_vpc()
        self._internet_gateway = Aws(
            "aws:ec2/internetGateway:InternetGateway",
            name,
            {"vpcId": self._vpc.id, "tags": self._tags({"Name": name})},
            self._vpc,
        )
        for subnet in self._layout.subnets:
            self._make_subnet(subnet)

    def state(self) -> Arguments:
        """The component's outputs."""
        return {
            "vpc": self._vpc,
            "vpcId": self._vpc.id,
            "internetGateway": self._internet_gateway,
            "subnetLayout": list(self._layout.specs),
            "vpcEndpoints": [],
            **self._made,
            **{f"{kind}SubnetIds": ids for kind, ids in self._of_kind.items()},
        }

    def _zones(self) -> list[str]:
        if named := self._arguments.get("availabilityZoneNames"):
            return list(named)
        count = zone_count(self._arguments)
        token = "aws:index/getAvailabilityZones:getAvailabilityZones"  # noqa: S105
        options = pulumi.InvokeOptions(parent=self, version=_AWS_VERSION)
        names: list[str] = pulumi.runtime.invoke(token, {}, options).value["names"]
        if len(names) < count:
            message = f"the region has {len(names)} availability zones, not {count}"
            raise ValueError(message)
        return names[:count]

    def _tags(self, *more: Any) -> pulumi.Output[dict[str, str]]:
        """The component's tags, and more that win over them."""
        return _merged(self._arguments.get("tags"), *more)

    def _make_vpc(self) -> Aws:
        given = {key: self._arguments[key] for key in _GIVEN_TO_VPC if key in self._arguments}
        block = self._arguments.get("cidrBlock") or DEFAULT_BLOCK
        tags = _merged({"Name": self._name}, self._arguments.get("tags"))
        properties: Arguments = {"cidrBlock": block, "tags": tags, **given}
        return Aws("aws:ec2/vpc:Vpc", self._name, properties, self)

    def _make(self, kind: str, token: str, name: str, properties: Arguments, parent: Aws) -> Aws:
        made = Aws(token, name, properties, parent)
        self._made[kind].append(made)
        return made

    def _make_subnet(self, plan: Subnet) -> None:
        label = {"Name": plan.name, "SubnetType": plan.type}
        subnet = self._make(
            "subnets",
            "aws:ec2/subnet:Subnet",
            plan.name,
            {
                "availabilityZone": plan.zone,
                "cidrBlock": plan.cidr_block,
                "mapPublicIpOnLaunch": plan.kind == "public",
                "tags": self._tags(plan.tags, label),
                "vpcId": self._vpc.id,
            },
            self._vpc,
        )
        self._of_kind[plan.kind].append(subnet.id)
        properties = {"vpcId": self._vpc.id, "tags": self._tags(label)}
        table = self._make(
            "routeTables", "aws:ec2/routeTable:RouteTable", plan.name, properties, subnet
        )
        self._make(
            "routeTableAssociations",
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            plan.name,
            {"routeTableId": table.id, "subnetId": subnet.id},
            table,
        )
        if plan.kind == "public":
            self._make_nat_gateway(plan, subnet)
            self._make_route(plan, table, {"gatewayId": self._internet_gateway.id})
        zone = self._layout.gateway_for(plan)
        if zone is not None:
            self._make_route(plan, table, {"natGatewayId": self._gateways[zone].id})

    def _make_nat_gateway(self, plan: Subnet, subnet: Aws) -> None:
        zone = plan.zone_index
        if zone not in self._layout.gateway_zones or zone in self._gateways:
            return
        name = f"{self._name}-{zone + 1}"
        tags = self._tags({"Name": name})
        address = self._make("eips", "aws:ec2/eip:Eip", name, {"tags": tags}, subnet)
        self._gateways[zone] = self._make(
            "natGateways",
            "aws:ec2/natGateway:NatGateway",
            name,
            {"allocationId": address.id, "subnetId": subnet.id, "tags": tags},
            subnet,
        )

    def _make_route(self, plan: Subnet, table: Aws, target: Arguments) -> None:
        properties = {"routeTableId": table.id, "destinationCidrBlock": _ANYWHERE, **target}
        self._make("routes", "aws:ec2/route:Route", plan.name, properties, table)


def _merged(*parts: Any) -> pulumi.Output[dict[str, str]]:
    """Tags of which later ones win."""

    def merge(values: list[dict[str, str] | None]) -> dict[str, str]:
        return {key: value for part in values for key, value in (part or {}).items()}

    return pulumi.Output.all(*parts).apply(merge)
