"""Makes private S3 buckets: no public access, TLS only, encrypted, owned by the account alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

OLD_VERSION_DAYS: Final = 7
"""How long what somebody has overwritten or deleted can be had back."""
ABORT_MULTIPART_DAYS: Final = 7


def _nobody(_: str) -> Sequence[Mapping[str, Any]]:
    return ()


@dataclass(frozen=True)
class PrivateBucket:
    """A bucket with its guards."""

    id: pulumi.Output[str]
    """Its name, for what configures it."""
    name: pulumi.Output[str]
    """Its name, known once its guards are in place."""
    arn: pulumi.Output[str]
    domain_name: pulumi.Output[str]
    """Its regional host name."""


def private_bucket(
    name: str,
    *,
    protected: bool,
    key_arn: pulumi.Output[str] | None,
    opts: pulumi.ResourceOptions,
    access_logs: pulumi.Output[str] | None = None,
    also: Callable[[str], Sequence[Mapping[str, Any]]] = _nobody,
) -> PrivateBucket:
    """Make the bucket `name`, encrypted with a KMS key or with S3's own ones.

    S3 tells the bucket `access_logs` of each request, below this one's name. `also` gives further
    statements of its policy, from its ARN.
    """
    kept = pulumi.ResourceOptions(parent=opts.parent, protect=protected)
    bucket = aws.s3.Bucket(name, force_destroy=not protected, opts=kept)
    block = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    aws.s3.BucketOwnershipControls(
        name, bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=opts
    )
    encryption = aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            {
                "apply_server_side_encryption_by_default": (
                    {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn}
                    if key_arn
                    else {"sse_algorithm": "AES256"}
                ),
                "bucket_key_enabled": key_arn is not None,
            }
        ],
        opts=opts,
    )
    policy = aws.s3.BucketPolicy(
        name,
        bucket=bucket.id,
        policy=bucket.arn.apply(lambda arn: bucket_policy(arn, also(arn))),
        # S3 refuses two changes of one bucket's access at a time.
        opts=pulumi.ResourceOptions(parent=opts.parent, depends_on=[block]),
    )
    if access_logs is not None:
        aws.s3.BucketLogging(
            name,
            bucket=bucket.id,
            target_bucket=access_logs,
            target_prefix=f"{name}/",
            opts=opts,
        )
    guarded = pulumi.Output.all(bucket.bucket, policy.id, encryption.id)
    return PrivateBucket(
        id=bucket.id,
        name=guarded.apply(lambda values: values[0]),
        arn=bucket.arn,
        domain_name=bucket.bucket_regional_domain_name,
    )


def version_objects(bucket: PrivateBucket, name: str, opts: pulumi.ResourceOptions) -> None:
    """Keep deleted and overwritten objects, until a lifecycle rule expires them."""
    aws.s3.BucketVersioning(
        name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=opts
    )


def expire_objects(
    bucket: PrivateBucket, name: str, rule: str, days: int, opts: pulumi.ResourceOptions
) -> None:
    """Keep versions, and delete each object of a bucket `days` after it was written.

    `rule` is the lifecycle rule's name.
    """
    version_objects(bucket, name, opts)
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            {
                "id": rule,
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": days},
                "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSION_DAYS},
                "abort_incomplete_multipart_upload": {
                    "days_after_initiation": ABORT_MULTIPART_DAYS
                },
            }
        ],
        opts=opts,
    )


def bucket_policy(bucket_arn: str, also: Sequence[Mapping[str, Any]] = ()) -> str:
    """Build the bucket policy that refuses every request without TLS 1.2 or later."""
    resources = [bucket_arn, f"{bucket_arn}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources}
    statements = [
        {**deny, "Sid": "DenyPlainHttp", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**deny, "Sid": "DenyOldTls", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
    ]
    document = {"Version": "2012-10-17", "Statement": [*also, *statements]}
    return json.dumps(document, sort_keys=True)
