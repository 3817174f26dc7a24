"""Where a stack is deployed."""

from dataclasses import dataclass

import pulumi_aws as aws


@dataclass(frozen=True)
class Location:
    """Region and partition, known before any resource is."""

    region: str
    """For instance `ap-northeast-1`."""
    partition: str
    """`aws`, `aws-cn` or `aws-us-gov`."""

    @staticmethod
    def current() -> "Location":
        """The default provider's location."""
        return Location(aws.get_region().region, aws.get_partition().partition)
