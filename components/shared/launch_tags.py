"""Tags of what Auto Scaling launches, to which the provider's default tags do not come by itself.

The provider tags what it makes: the launch template, and not what EC2 makes from it. An Auto
Scaling group gets no default tags either, and passes its own to instances only.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-tagging.html
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
import pulumi_aws as aws

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
