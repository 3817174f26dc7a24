"""Creates the S3 bucket for events, media and exports, each below a prefix of its own.

One bucket: docs/adr/0001-one-bucket.md.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.environment import EVENTS_PREFIX
from langfuse_aws.components.shared.bucket import (
    ABORT_MULTIPART_DAYS,
    private_bucket,
    version_objects,
)
from langfuse_aws.components.shared.kms_key import kms_key
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.settings.stores import Storage as StorageSettings


@dataclass(frozen=True)
class StorageArgs:
    """What the bucket is made from."""

    settings: StorageSettings
    origin: pulumi.Input[str]
    """Origin of Langfuse's user interface, which uploads media from the browser."""
    protected: bool
    access_logs: pulumi.Output[str]
    """Name of the bucket that is told of each request."""


class Storage(pulumi.ComponentResource):
    """The bucket and everything that guards it."""

    bucket: pulumi.Output[str]
    """The bucket's name, known once its guards are in place."""
    bucket_arn: pulumi.Output[str]
    """The bucket's ARN."""
    key_arn: pulumi.Output[str] | None
    """The KMS key's ARN; None when S3's own keys are used."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the bucket."""

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Storage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protected)
        self.key_arn = None
        if args.settings.kms:
            self.key_arn = kms_key(
                name, f"Objects of {name}", protected=args.protected, opts=kept
            ).arn
        bucket = private_bucket(
            name,
            protected=args.protected,
            key_arn=self.key_arn,
            access_logs=args.access_logs,
            opts=child,
        )
        if args.settings.versioning_days is not None:
            version_objects(bucket, name, child)
        aws.s3.BucketLifecycleConfiguration(
            name, bucket=bucket.id, rules=lifecycle_rules(args.settings), opts=child
        )
        aws.s3.BucketCorsConfiguration(
            name,
            bucket=bucket.id,
            cors_rules=[
                {
                    "allowed_origins": [args.origin],
                    "allowed_methods": ["GET", "HEAD", "PUT"],
                    "allowed_headers": ["content-type", "x-amz-checksum-sha256"],
                    "expose_headers": ["ETag"],
                    "max_age_seconds": 3600,
                }
            ],
            opts=child,
        )
        self.bucket, self.bucket_arn = bucket.name, bucket.arn
        self.metric_dimensions = {
            "bucket": [{"BucketName": bucket.name, "StorageType": "StandardStorage"}]
        }
        self.register_outputs({"bucket": self.bucket})


def lifecycle_rules(
    settings: StorageSettings,
) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    """Build the lifecycle rules. Media never expires: Langfuse de-duplicates it by hash."""
    rules: list[aws.s3.BucketLifecycleConfigurationRuleArgsDict] = [
        {
            "id": "abort-multipart-uploads",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_MULTIPART_DAYS},
        },
        {
            # Always there: what versioning has kept outlives its being switched off.
            "id": "expire-old-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": settings.versioning_days or 1},
            "expiration": {"expired_object_delete_marker": True},
        },
    ]
    if settings.events_retention_days is not None:
        rules.append(
            {
                "id": "expire-events",
                "status": "Enabled",
                "filter": {"prefix": EVENTS_PREFIX},
                "expiration": {"days": settings.events_retention_days},
            }
        )
    return rules
