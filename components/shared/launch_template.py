"""What every launch template of the program has: no old metadata service, an encrypted disk, tags.

The provider's default tags do not come by themselves to what Auto Scaling launches: the provider
tags what it makes, the launch template, and not what EC2 makes from it. An Auto Scaling group gets
no default tags either, and passes its own to instances only.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-tagging.html
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
import pulumi_aws as aws

METADATA_OPTIONS: Final[aws.ec2.LaunchTemplateMetadataOptionsArgsDict] = {
    "http_endpoint": "enabled",
    "http_tokens": "required",
    "http_put_response_hop_limit": 1,
}
"""Version 2 of the metadata service, out of reach of containers.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html"""


def root_volume(size_gib: int) -> list[aws.ec2.LaunchTemplateBlockDeviceMappingArgsDict]:
    """Give the block device mapping of a root volume of this size, in GiB."""
    return [
        {
            "device_name": "/dev/xvda",
            "ebs": {
                "volume_size": size_gib,
                "volume_type": "gp3",
                "encrypted": "true",
                "delete_on_termination": "true",
            },
        }
    ]


LAUNCHED: Final = ("instance", "volume", "network-interface")
"""What EC2 makes at the launch of an instance, and tags if the launch template says so."""


def launch_tags(name: str, parent: pulumi.Resource) -> pulumi.Output[dict[str, str]]:
    """Ask the parent's provider for its default tags, and add the name."""
    found = aws.get_default_tags_output(opts=pulumi.InvokeOutputOptions(parent=parent))
    return found.tags.apply(lambda tags: {**(tags or {}), "Name": name})


def tag_specifications(
    tags: pulumi.Output[dict[str, str]], kinds: Sequence[str] = LAUNCHED
) -> list[aws.ec2.LaunchTemplateTagSpecificationArgsDict]:
    """Tags of a launch template's instances, their volumes and network interfaces, or of some."""
    return [{"resource_type": kind, "tags": tags} for kind in kinds]


def group_tags(tags: Mapping[str, str]) -> list[aws.autoscaling.GroupTagArgsDict]:
    """Tags of an Auto Scaling group, which its instances get too."""
    return [
        {"key": key, "value": value, "propagate_at_launch": True}
        for key, value in sorted(tags.items())
    ]
