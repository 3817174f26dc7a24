"""Creates a NAT instance: an NAT gateway's work for a tenth of its price, in one zone.

For stacks that can do without a way out for the minutes that a lost instance takes to recover.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.location import Location
from components.security_groups import allow_egress, closed_group

INSTANCE_TYPE: Final = "t4g.nano"

ROOT_VOLUME_GIB: Final = 8

# https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-via-aws-cli
IMAGE_PARAMETER: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"

# https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
USER_DATA: Final = """#!/bin/bash
set -euo pipefail
dnf install -y iptables-services
echo net.ipv4.ip_forward=1 > /etc/sysctl.d/90-nat.conf
sysctl -p /etc/sysctl.d/90-nat.conf
interface=$(ip -o route get 169.254.169.254 | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
iptables -F FORWARD
iptables -t nat -A POSTROUTING -o "$interface" -j MASQUERADE
service iptables save
systemctl enable --now iptables
"""


@dataclass(frozen=True)
class NatInstanceArgs:
    """What a NAT instance is made from."""

    location: Location
    vpc_id: pulumi.Input[str]
    cidr: str
    subnet_id: pulumi.Input[str]
    """A public subnet."""
    route_table_ids: Sequence[pulumi.Input[str]]
    """Route tables of the private subnets."""


class NatInstance(pulumi.ComponentResource):
    """One small instance that forwards the private subnets' traffic."""

    def __init__(
        self, name: str, args: NatInstanceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:NatInstance", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = closed_group(name, "NAT instance", args.vpc_id, opts=child)
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-vpc",
            security_group_id=group.id,
            cidr_ipv4=args.cidr,
            ip_protocol="-1",
            description="from the VPC, to be forwarded",
            opts=child,
        )
        allow_egress(name, group.id, opts=child)
        role = iam.service_role(
            name,
            "ec2.amazonaws.com",
            [],
            managed={
                "ssm": iam.managed_policy(args.location.partition, "AmazonSSMManagedInstanceCore")
            },
            opts=child,
        )
        profile = aws.iam.InstanceProfile(name, role=role.name, opts=child)
        image = aws.ssm.get_parameter_output(
            name=IMAGE_PARAMETER, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        instance = aws.ec2.Instance(
            name,
            ami=image.insecure_value,
            instance_type=INSTANCE_TYPE,
            subnet_id=args.subnet_id,
            associate_public_ip_address=True,
            source_dest_check=False,
            vpc_security_group_ids=[group.id],
            iam_instance_profile=profile.name,
            user_data=USER_DATA,
            user_data_replace_on_change=True,
            metadata_options={
                "http_tokens": "required",
                "http_endpoint": "enabled",
                "http_put_response_hop_limit": 1,
            },
            root_block_device={
                "encrypted": True,
                "volume_type": "gp3",
                "volume_size": ROOT_VOLUME_GIB,
            },
            tags={"Name": name},
            # A newer AMI is no reason to cut the way out; it comes with the next replacement.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ami"]),
        )
        for index, table in enumerate(args.route_table_ids, start=1):
            aws.ec2.Route(
                f"{name}-{index}",
                route_table_id=table,
                destination_cidr_block="0.0.0.0/0",
                network_interface_id=instance.primary_network_interface_id,
                opts=child,
            )
        self.register_outputs({})
