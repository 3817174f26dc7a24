"""Creates the interface endpoints of a VPC without a way out, one for each of AWS's services."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared.security_groups import security_group

HTTPS_PORT: Final = 443


@dataclass(frozen=True)
class EndpointsArgs:
    """What the endpoints are made from."""

    region: str
    services: Sequence[str]
    """How the names of the services end, such as `ecr.api`."""
    vpc_id: pulumi.Input[str]
    cidr: str
    """The VPC's block, whose members alone may connect."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """The private subnets: an endpoint has an address, and a price, in each."""


class Endpoints(pulumi.ComponentResource):
    """The endpoints, with a security group of their own. AWS's own names lead to them."""

    resources: list[pulumi.CustomResource]
    """What must be there before anything in the VPC calls AWS."""

    def __init__(
        self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Endpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = security_group(name, "Endpoints of AWS services", args.vpc_id, opts=child)
        rule = aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            cidr_ipv4=args.cidr,
            ip_protocol="tcp",
            from_port=HTTPS_PORT,
            to_port=HTTPS_PORT,
            description="the VPC to AWS services",
            opts=child,
        )
        endpoints = [
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=args.subnet_ids,
                security_group_ids=[group.id],
                tags={"Name": f"{name}-{service}"},
                opts=child,
            )
            for service in args.services
        ]
        self.resources = [rule, *endpoints]
        self.register_outputs({})
