"""What every launch template of the program has: no old metadata service, an encrypted disk."""

from typing import Final

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
