"""Creates the S3 bucket for events, media and exports, each below a prefix of its own.

One bucket: docs/adr/0001-one-bucket.md. Versioning stays off, so that a deletion is one.
"""

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.stored_secret import RECOVERY_DAYS
from contract.environment import EVENTS_PREFIX
from settings.stores import Storage as StorageSettings

UNPROTECTED_KEY_DAYS: Final = 7
"""KMS's shortest waiting period before a key is gone."""

ABORT_MULTIPART_DAYS: Final = 7


@dataclass(frozen=True)
class StorageArgs:
    """What the bucket is made from."""

    settings: StorageSettings
    origin: pulumi.Input[str]
    """Origin of Langfuse's user interface, which uploads media from the browser."""
    protected: bool


class Storage(pulumi.ComponentResource):
    """The bucket and everything that guards it."""

    bucket: pulumi.Output[str]
    """The bucket's name, known once its guards are in place."""
    bucket_arn: pulumi.Output[str]
    """The bucket's ARN."""
    key_arn: pulumi.Output[str] | None
    """The KMS key's ARN; None when S3's own keys are used."""

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Storage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protected)
        self.key_arn = self._key(name, kept, args.protected) if args.settings.kms else None
        bucket = aws.s3.Bucket(name, force_destroy=not args.protected, opts=kept)
        self.bucket_arn = bucket.arn
        block = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": (
                        {"sse_algorithm": "aws:kms", "kms_master_key_id": self.key_arn}
                        if self.key_arn
                        else {"sse_algorithm": "AES256"}
                    ),
                    "bucket_key_enabled": args.settings.kms,
                }
            ],
            opts=child,
        )
        policy = aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=bucket.arn.apply(tls_only_policy),
            # S3 refuses two changes of one bucket's access at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )
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
        guarded = pulumi.Output.all(bucket.bucket, policy.id, encryption.id)
        self.bucket = guarded.apply(lambda values: values[0])
        self.register_outputs({"bucket": self.bucket})

    @staticmethod
    def _key(name: str, kept: pulumi.ResourceOptions, protected: bool) -> pulumi.Output[str]:
        key = aws.kms.Key(
            name,
            description=f"Objects of {name}",
            enable_key_rotation=True,
            deletion_window_in_days=RECOVERY_DAYS if protected else UNPROTECTED_KEY_DAYS,
            opts=kept,
        )
        return key.arn


def tls_only_policy(bucket_arn: str) -> str:
    """Build the bucket policy that refuses every request without TLS 1.2 or later."""
    resources = [bucket_arn, f"{bucket_arn}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources}
    statements = [
        {**deny, "Sid": "DenyPlainHttp", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**deny, "Sid": "DenyOldTls", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


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
        }
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
