"""Creates ClickHouse's instance and its data volume, which outlives every instance."""

import base64
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.clickhouse_config import user_data
from components.location import Location
from components.security_groups import allow_egress, closed_group
from settings.stores import ClickHouseOnEc2

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
IMAGE_PARAMETER: Final = (
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
)

DEVICE: Final = "/dev/sdf"
MOUNT_POINT: Final = "/var/lib/langfuse-clickhouse"
DATA_FOLDER: Final = f"{MOUNT_POINT}/data"

ROOT_VOLUME_GIB: Final = 30
"""The size of the ECS-optimised AMI's snapshot; a root volume cannot be smaller."""


@dataclass(frozen=True)
class ClickHouseHostArgs:
    """What the host is made from."""

    settings: ClickHouseOnEc2
    location: Location
    cluster_name: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """The subnet, and so the availability zone, of the instance and its volume."""
    public: bool
    """Whether the instance needs a public address to get out."""
    protected: bool


class ClickHouseHost(pulumi.ComponentResource):
    """An Auto Scaling group of one instance, and the volume it attaches."""

    group_name: pulumi.Output[str]
    """Name of the Auto Scaling group."""
    volume_id: pulumi.Output[str]
    """ID of the data volume."""

    def __init__(
        self, name: str, args: ClickHouseHostArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ClickHouseHost", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        zone = aws.ec2.get_subnet_output(
            id=args.subnet_id, opts=pulumi.InvokeOutputOptions(parent=self)
        ).availability_zone
        volume = aws.ebs.Volume(
            name,
            availability_zone=zone,
            size=args.settings.volume_gib,
            type="gp3",
            encrypted=True,
            tags={"Name": name},
            # A volume cannot move: another zone would mean an empty one.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protected,
                retain_on_delete=args.protected,
                ignore_changes=["availabilityZone"],
            ),
        )
        self.volume_id = volume.id
        profile = aws.iam.InstanceProfile(
            name, role=self._role(name, args.location, volume.arn, child).name, opts=child
        )
        group = closed_group(f"{name}-instance", "ClickHouse instance", args.vpc_id, opts=child)
        egress = allow_egress(f"{name}-instance", group.id, opts=child)
        template = aws.ec2.LaunchTemplate(
            name,
            image_id=f"resolve:ssm:{IMAGE_PARAMETER}",
            instance_type=args.settings.instance_type,
            iam_instance_profile={"arn": profile.arn},
            network_interfaces=[
                {
                    "associate_public_ip_address": "true" if args.public else "false",
                    "security_groups": [group.id],
                    "delete_on_termination": "true",
                }
            ],
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": ROOT_VOLUME_GIB,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[{"resource_type": "instance", "tags": {"Name": name}}],
            update_default_version=True,
            user_data=pulumi.Output.all(volume=volume.id, cluster=args.cluster_name)
            .apply(
                lambda values: user_data(
                    {
                        "region": args.location.region,
                        "cluster": values["cluster"],
                        "volume_id": values["volume"],
                        "device": DEVICE,
                        "mount_point": MOUNT_POINT,
                    }
                )
            )
            .apply(_base64),
            opts=child,
        )
        instances = aws.autoscaling.Group(
            name,
            min_size=1,
            max_size=1,
            desired_capacity=1,
            vpc_zone_identifiers=[args.subnet_id],
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: str(int(version))),
            },
            # Ends the old instance before it starts the new one: there is one volume.
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {"min_healthy_percentage": 0},
            },
            tags=[{"key": "Name", "value": name, "propagate_at_launch": True}],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[egress]),
        )
        self.group_name = instances.name
        self.register_outputs({"groupName": self.group_name, "volumeId": self.volume_id})

    @staticmethod
    def _role(
        name: str,
        location: Location,
        volume_arn: pulumi.Output[str],
        child: pulumi.ResourceOptions,
    ) -> aws.iam.Role:
        """Make the instance's role: join the cluster, be managed by SSM, attach this volume."""
        instances = volume_arn.apply(lambda arn: f"{arn.rsplit(':', 1)[0]}:instance/*")
        return iam.service_role(
            name,
            "ec2.amazonaws.com",
            [
                iam.allow(["ec2:AttachVolume"], [volume_arn]),
                iam.allow(
                    ["ec2:AttachVolume"],
                    [instances],
                    {"StringEquals": {"ec2:ResourceTag/Name": name}},
                ),
            ],
            managed={
                "ecs": iam.managed_policy(
                    location.partition, "service-role/AmazonEC2ContainerServiceforEC2Role"
                ),
                "ssm": iam.managed_policy(location.partition, "AmazonSSMManagedInstanceCore"),
            },
            opts=child,
        )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
