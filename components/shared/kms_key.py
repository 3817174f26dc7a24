"""Makes KMS keys of the stack's own, which AWS rotates every year."""

from typing import Final

import pulumi
import pulumi_aws as aws

SHORTEST_DAYS: Final = 7
LONGEST_DAYS: Final = 30
"""Bounds of the time in which a deleted key can be had back.
https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


def kms_key(
    name: str,
    description: str,
    *,
    protected: bool,
    opts: pulumi.ResourceOptions,
    policy: str | None = None,
    region: str | None = None,
) -> aws.kms.Key:
    """Make the key `name`. Deleted, it can be had back for LONGEST_DAYS if it is `protected`.

    Without a `policy` it has AWS's default, by which the account's IAM policies count; without a
    `region` it is in the stack's.
    """
    return aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        deletion_window_in_days=LONGEST_DAYS if protected else SHORTEST_DAYS,
        policy=policy,
        region=region,
        opts=opts,
    )
