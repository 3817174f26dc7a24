"""Creates ClickHouse's instances, which attach the data volumes of `volume.py`."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.clickhouse.config import user_data
from langfuse_aws.components.clickhouse.volume import DEVICE, MOUNT_POINT, data_volumes
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.discovery import discovery_service
from langfuse_aws.components.runtime.read_back import current_instances
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
from langfuse_aws.components.shared.metrics import CLICKHOUSE_NAMESPACE, MetricDimensions
from langfuse_aws.components.shared.security_groups import allow_egress, security_group
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.stores import ClickHouseOnEc2

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
IMAGE_PARAMETER: Final = (
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
)

ROOT_VOLUME_GIB: Final = 30
"""The size of the ECS-optimised AMI's snapshot; a root volume cannot be smaller."""


BOOT_SECONDS: Final = 900
"""An instance's start, and the ten minutes it waits for a volume that another one still holds."""

REPLACEMENT_SECONDS: Final = 600
"""How long a server has to fetch what it missed, before the next instance is replaced."""


@dataclass(frozen=True)
class ClickHouseHostArgs:
    """What the hosts are made from."""

    settings: ClickHouseOnEc2
    location: Location
    cluster: Cluster
    vpc_id: pulumi.Input[str]
    zones: Sequence[str]
    """The availability zone of each instance and its volume."""
    subnet_ids: Sequence[pulumi.Output[str]]
    """A subnet in each zone."""
    public: bool
    """Whether the instances need public addresses to get out."""
    protected: bool
    logs: aws.cloudwatch.LogGroup
    """ClickHouse's log group, where an instance says that its server is not found."""
    hours: Hours | None


class ClickHouseHost(pulumi.ComponentResource):
    """An Auto Scaling group with an instance in each zone, and the volumes they attach."""

    volume_ids: list[pulumi.Output[str]]
    """IDs of the data volumes, by the servers' numbers."""
    volume_arns: list[pulumi.Output[str]]
    """Their ARNs."""
    group_name: pulumi.Output[str]
    """Name of the group, once its instances run as they are configured."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the volumes and the Auto Scaling group."""

    def __init__(
        self, name: str, args: ClickHouseHostArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ClickHouseHost", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        count = len(args.zones)
        labels = [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
        volumes = data_volumes(
            labels, args.zones, args.settings, protected=args.protected, parent=self
        )
        self.volume_ids = [volume.id for volume in volumes]
        self.volume_arns = [volume.arn for volume in volumes]
        # One server has the name that ECS keeps; each of three needs one of its own.
        names = [
            discovery_service(label, f"clickhouse-{number}", "A", args.cluster, opts=child)
            for number, label in enumerate(labels if count > 1 else [], start=1)
        ]
        group = security_group(f"{name}-instance", "ClickHouse instance", args.vpc_id, opts=child)
        egress = allow_egress(f"{name}-instance", group.id, opts=child)
        boot = pulumi.Output.all(
            cluster=args.cluster.name,
            zones=args.zones,
            volumes=self.volume_ids,
            names=[service.id for service in names],
            log_group=args.logs.name,
        ).apply(lambda values: _base64(user_data(_boot_values(args.location.region, **values))))
        role = self._role(name, args, [service.arn for service in names], child)
        tags = launch_tags(name, self)
        template = self._template(name, args, group.id, role, boot, tags, child)
        version = template.latest_version.apply(lambda found: str(int(found)))
        instances = aws.autoscaling.Group(
            name,
            min_size=count,
            max_size=count,
            desired_capacity=count,
            vpc_zone_identifiers=args.subnet_ids,
            # A second instance in a zone would find the zone's volume taken.
            suspended_processes=["AZRebalance"],
            launch_template={"id": template.id, "version": version},
            # Ends an old instance before it starts the new one, since there is one volume, and
            # one instance at a time.
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {
                    "min_healthy_percentage": 100 * (count - 1) // count,
                    "instance_warmup": str(REPLACEMENT_SECONDS),
                },
            },
            tags=tags.apply(group_tags),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(parent=self, depends_on=[egress]),
                left_alone(args.hours, GROUP_NUMBERS),
            ),
        )
        schedule_group(name, instances, args.hours, "hosts", count, child)
        self.group_name = current_instances(instances, version, count)
        self.metric_dimensions = {
            "volumes": [{"VolumeId": volume} for volume in self.volume_ids],
            "hosts": [{"AutoScalingGroupName": instances.name}],
        }
        self.register_outputs({"volumeIds": self.volume_ids})

    def _template(
        self,
        name: str,
        args: ClickHouseHostArgs,
        group_id: pulumi.Output[str],
        role: iam.ServiceRole,
        boot: pulumi.Output[str],
        tags: pulumi.Output[dict[str, str]],
        child: pulumi.ResourceOptions,
    ) -> aws.ec2.LaunchTemplate:
        profile = aws.iam.InstanceProfile(name, role=role.name, opts=child)
        return aws.ec2.LaunchTemplate(
            name,
            image_id=f"resolve:ssm:{IMAGE_PARAMETER}",
            instance_type=args.settings.instance_type,
            iam_instance_profile={"arn": profile.arn},
            network_interfaces=[
                {
                    "associate_public_ip_address": "true" if args.public else "false",
                    "security_groups": [group_id],
                    "delete_on_termination": "true",
                }
            ],
            metadata_options=METADATA_OPTIONS,
            block_device_mappings=root_volume(ROOT_VOLUME_GIB),
            tag_specifications=tag_specifications(tags),
            update_default_version=True,
            user_data=boot,
            opts=child,
        )

    def _role(
        self,
        name: str,
        args: ClickHouseHostArgs,
        names: Sequence[pulumi.Output[str]],
        child: pulumi.ResourceOptions,
    ) -> iam.ServiceRole:
        """Make the instances' role.

        It may join the cluster, be managed by SSM, attach these volumes, register these names or
        say why it cannot, and report how full its volume is.
        """
        instances = self.volume_arns[0].apply(lambda arn: f"{arn.rpartition(':')[0]}:instance/*")
        return iam.service_role(
            name,
            "ec2.amazonaws.com",
            [
                iam.allow(["ec2:AttachVolume"], self.volume_arns),
                iam.allow(
                    ["ec2:AttachVolume"],
                    [instances],
                    {"StringEquals": {"ec2:ResourceTag/Name": name}},
                ),
                *(_registering(args, names) if names else []),
                # The API knows no resources; a namespace is the narrowest there is.
                # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
                iam.allow(
                    ["cloudwatch:PutMetricData"],
                    ["*"],
                    {"StringEquals": {"cloudwatch:namespace": CLICKHOUSE_NAMESPACE}},
                ),
            ],
            args.location,
            managed={
                "ecs": iam.managed_policy(
                    args.location.partition, "service-role/AmazonEC2ContainerServiceforEC2Role"
                ),
                "ssm": iam.managed_policy(args.location.partition, "AmazonSSMManagedInstanceCore"),
            },
            opts=child,
        )


def _registering(
    args: ClickHouseHostArgs, names: Sequence[pulumi.Output[str]]
) -> list[iam.Statement]:
    """Build what it takes to register names, and to say why one is not registered.

    Cloud Map acts in Route 53 in the caller's name. These are the actions of AWS's own policy that
    register, each on the least it can be on.
    https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-api-permissions-ref.html
    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCloudMapRegisterInstanceAccess.html
    """
    route53 = f"arn:{args.location.partition}:route53:::"
    zone = args.cluster.zone_id.apply(lambda zone_id: f"{route53}hostedzone/{zone_id}")
    return [
        iam.allow(["servicediscovery:RegisterInstance"], names),
        iam.allow(["servicediscovery:GetOperation"], [args.cluster.namespace_arn, *names]),
        iam.allow(["route53:ChangeResourceRecordSets", "route53:GetHostedZone"], [zone]),
        iam.allow(
            ["route53:GetHealthCheck", "route53:UpdateHealthCheck"], [f"{route53}healthcheck/*"]
        ),
        iam.allow(
            [
                "ec2:DescribeInstances",
                "route53:CreateHealthCheck",
                "route53:ListHostedZonesByName",
            ],
            ["*"],
        ),
        iam.allow(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [pulumi.Output.concat(args.logs.arn, ":log-stream:register-server/*")],
        ),
    ]


def _boot_values(
    region: str,
    *,
    cluster: str,
    zones: list[str],
    volumes: list[str],
    names: list[str],
    log_group: str,
) -> dict[str, str]:
    lines = [
        f"{zone} {number} {volume}"
        for number, (zone, volume) in enumerate(zip(zones, volumes, strict=True), start=1)
    ]
    return {
        "region": region,
        "cluster": cluster,
        "volumes": "\n".join(lines),
        "names": "\n".join(f"{number} {name}" for number, name in enumerate(names, start=1)),
        "device": DEVICE,
        "mount_point": MOUNT_POINT,
        "log_group": log_group,
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
