"""Creates the bucket of the access logs: who asked the load balancer and the other buckets what.

S3 writes a line of each request to Langfuse's bucket and to that of ClickHouse's backups, the load
balancer a line of each of its own. An HTTP API writes to CloudWatch Logs, where the stage says so.

Both services write with S3's own keys only, so the stack's key does not encrypt it; and a bucket
that logs its own requests would never come to rest.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.bucket import expire_objects, private_bucket
from langfuse_aws.components.shared.location import Location

LOAD_BALANCER_PREFIX: Final = "load-balancer"

BALANCERS: Final[Mapping[str, str]] = {
    "us-gov-east-1": "190560391635",
    "us-gov-west-1": "048591011584",
    "cn-north-1": "638102146993",
    "cn-northwest-1": "037604701340",
}
"""Accounts of Elastic Load Balancing that may write in its stead, where nobody has said that its
own name is enough, as it is in every region of the partition `aws`.
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/elb/service_account_data_source.go"""


@dataclass(frozen=True)
class AccessLogsArgs:
    """What the bucket is made from."""

    location: Location
    retention_days: int
    protected: bool


class AccessLogs(pulumi.ComponentResource):
    """The bucket, with its expiry."""

    bucket: pulumi.Output[str]
    """The bucket's name, known once the services may write to it."""

    def __init__(
        self, name: str, args: AccessLogsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:AccessLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = private_bucket(
            name,
            protected=args.protected,
            key_arn=None,
            also=lambda arn: writers(arn, args.location),
            opts=child,
        )
        expire_objects(bucket, name, "expire-logs", args.retention_days, child)
        self.bucket = bucket.name
        self.register_outputs({"bucket": self.bucket})


def writers(bucket_arn: str, location: Location) -> list[dict[str, Any]]:
    """Let S3 and load balancers of this account write, and nobody read."""
    own = {"StringEquals": {"aws:SourceAccount": location.account}}
    from_balancer = f"{bucket_arn}/{LOAD_BALANCER_PREFIX}/AWSLogs/{location.account}/*"
    balancer: dict[str, Any] = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    if location.region in BALANCERS:
        account = BALANCERS[location.region]
        balancer["AWS"] = f"arn:{location.partition}:iam::{account}:root"
    return [
        {
            "Sid": "Buckets",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            **iam.allow(["s3:PutObject"], [], own),
            "Resource": f"{bucket_arn}/*",
        },
        # Its requests say nothing of the account, and a condition would be false: their path does.
        {
            "Sid": "LoadBalancer",
            "Principal": balancer,
            **iam.allow(["s3:PutObject"], []),
            "Resource": from_balancer,
        },
    ]
