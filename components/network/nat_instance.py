"""Creates a NAT instance: an NAT gateway's work for a tenth of its price, in one zone.

For stacks that can do without a way out for the minutes that a lost instance takes to be replaced.
Its network interface and address outlive it: an Auto Scaling group starts each instance with them,
so that routes stay as they are. An instance is in service once it forwards (`nat_instance.sh`),
and the group is made once one is in service.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.hours import GROUP_NUMBERS, left_alone, schedule_group
from langfuse_aws.components.shared.launch_template import (
    METADATA_OPTIONS,
    group_tags,
    launch_tags,
    root_volume,
    tag_specifications,
)
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.security_groups import allow_egress, security_group
from langfuse_aws.settings.hours import Hours

COMPONENT: Final = "langfuse:index:NatInstance"

INSTANCE_TYPE: Final = "t4g.nano"

ROOT_VOLUME_GIB: Final = 8

# https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-via-aws-cli
IMAGE_PARAMETER: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"

HOOK: Final = "forwards"
"""The lifecycle hook that keeps an instance out of service until it has said that it forwards."""

SWAP_MIB: Final = 1024
"""Twice the memory. https://github.com/jamesmoriarty/cfn-cheapest-nat/pull/16: the same set-up with
512 MiB of memory, whose dnf was killed until there was as much."""

INSTALL_ATTEMPTS: Final = 5
INSTALL_SECONDS: Final = 90
"""How long an attempt to install may take; it waits for dnf's lock without an end otherwise."""
PAUSE_SECONDS: Final = 15

BOOT_SECONDS: Final = 600
"""After this time an instance that has said nothing is abandoned: more than all attempts take."""

CAPACITY_TIMEOUT: Final = "15m"
"""How long `up` waits for an instance that forwards: time for a second one, if the first fails."""

_USER_DATA: Final = Path(__file__).with_name("nat_instance.sh")


def user_data(*, region: str, cidr: str, group: str) -> str:
    """Fill in the boot script; `group` is the Auto Scaling group's name."""
    return Template(_USER_DATA.read_text(encoding="utf-8")).substitute(
        region=region,
        cidr=cidr,
        group=group,
        hook=HOOK,
        swap_mib=SWAP_MIB,
        install_attempts=INSTALL_ATTEMPTS,
        install_seconds=INSTALL_SECONDS,
        pause_seconds=PAUSE_SECONDS,
    )


@dataclass(frozen=True)
class NatInstanceArgs:
    """What a NAT instance is made from."""

    location: Location
    vpc_id: pulumi.Input[str]
    cidr: str
    subnet_id: pulumi.Input[str]
    """A public subnet."""
    zone: str
    """The availability zone of that subnet."""
    hours: Hours | None


class NatInstance(pulumi.ComponentResource):
    """One small instance at a time, which forwards the private subnets' traffic."""

    network_interface_id: pulumi.Output[str]
    """Where default routes lead to."""
    group: pulumi.Resource
    """Made once an instance forwards."""

    def __init__(
        self, name: str, args: NatInstanceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(COMPONENT, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = security_group(name, "NAT instance", args.vpc_id, opts=child)
        rules = [
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-from-vpc",
                security_group_id=group.id,
                cidr_ipv4=args.cidr,
                ip_protocol="-1",
                description="from the VPC, to be forwarded",
                opts=child,
            ),
            allow_egress(name, group.id, opts=child),
        ]
        interface = aws.ec2.NetworkInterface(
            name,
            subnet_id=args.subnet_id,
            security_groups=[group.id],
            # It takes what is not for its own address.
            source_dest_check=False,
            tags={"Name": name},
            opts=child,
        )
        self.network_interface_id = interface.id
        address = aws.ec2.Eip(
            name, domain="vpc", network_interface=interface.id, tags={"Name": name}, opts=child
        )
        # The instance must know the name of its group, and its role be narrowed to it, before there
        # is a group.
        group_name = interface.id.apply(lambda interface_id: f"{name}-{interface_id}")
        template = self._template(name, args, interface.id, group_name, child)
        self.group = self._group(name, args, template, group_name, [*rules, address])
        self.register_outputs({"networkInterfaceId": interface.id})

    def _group(
        self,
        name: str,
        args: NatInstanceArgs,
        template: aws.ec2.LaunchTemplate,
        group_name: pulumi.Output[str],
        before: list[pulumi.Resource],
    ) -> aws.autoscaling.Group:
        instances = aws.autoscaling.Group(
            name,
            name=group_name,
            min_size=1,
            max_size=1,
            desired_capacity=1,
            # Not subnets, where the launch template has a network interface.
            # https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
            availability_zones=[args.zone],
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: str(int(version))),
            },
            initial_lifecycle_hooks=[
                {
                    "name": HOOK,
                    "lifecycle_transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                    "heartbeat_timeout": BOOT_SECONDS,
                    "default_result": "ABANDON",
                }
            ],
            # The next instance needs the network interface of the one before.
            instance_maintenance_policy={
                "min_healthy_percentage": 0,
                "max_healthy_percentage": 100,
            },
            # The group tries again by itself; `up` fails if no attempt succeeds in time.
            ignore_failed_scaling_activities=True,
            wait_for_capacity_timeout=CAPACITY_TIMEOUT,
            tags=launch_tags(name, self).apply(group_tags),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=before,
                    # An update waits for no instance, and so would a group whose instance never
                    # came into service be taken for a good one by the next `up`: both are made
                    # anew. https://github.com/hashicorp/terraform-provider-aws/issues/34189
                    # https://www.pulumi.com/docs/iac/concepts/options/replaceonchanges/
                    replace_on_changes=["launchTemplate", "#initerror"],
                    delete_before_replace=True,
                ),
                left_alone(args.hours, GROUP_NUMBERS),
            ),
        )
        child = pulumi.ResourceOptions(parent=self)
        schedule_group(name, instances, args.hours, "nat", 1, child)
        return instances

    def _template(
        self,
        name: str,
        args: NatInstanceArgs,
        interface_id: pulumi.Output[str],
        group_name: pulumi.Output[str],
        child: pulumi.ResourceOptions,
    ) -> aws.ec2.LaunchTemplate:
        region = args.location.region
        prefix = f"arn:{args.location.partition}:autoscaling:{region}:*:autoScalingGroup:*"
        own_group = pulumi.Output.concat(prefix, ":autoScalingGroupName/", group_name)
        role = iam.service_role(
            name,
            "ec2.amazonaws.com",
            [iam.allow(["autoscaling:CompleteLifecycleAction"], [own_group])],
            args.location,
            managed={
                "ssm": iam.managed_policy(args.location.partition, "AmazonSSMManagedInstanceCore")
            },
            opts=child,
        )
        profile = aws.iam.InstanceProfile(name, role=role.name, opts=child)
        boot = group_name.apply(
            lambda group: user_data(region=region, cidr=args.cidr, group=group).encode()
        )
        return aws.ec2.LaunchTemplate(
            name,
            # The newest at the start of an instance; a newer one is no reason to cut the way out.
            image_id=f"resolve:ssm:{IMAGE_PARAMETER}",
            instance_type=INSTANCE_TYPE,
            iam_instance_profile={"arn": profile.arn},
            network_interfaces=[{"device_index": 0, "network_interface_id": interface_id}],
            metadata_options=METADATA_OPTIONS,
            block_device_mappings=root_volume(ROOT_VOLUME_GIB),
            tag_specifications=tag_specifications(launch_tags(name, self), ("instance", "volume")),
            update_default_version=True,
            user_data=boot.apply(lambda script: base64.b64encode(script).decode()),
            opts=child,
        )
