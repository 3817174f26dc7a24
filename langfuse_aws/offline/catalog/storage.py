"""Buckets, secrets and keys."""

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType

_OF_A_BUCKET = ResourceType("{bucket}", tagged=False)

TYPES: dict[str, ResourceType] = {
    "aws:s3/bucket:Bucket": ResourceType(
        "{bucket}",
        {
            "arn": "arn:{partition}:s3:::{bucket}",
            "bucketDomainName": "{bucket}.s3.{suffix}",
            "bucketRegion": "{region}",
            "bucketRegionalDomainName": "{bucket}.s3.{region}.{suffix}",
            "hostedZoneId": "Z3AQBSTGFYJSTF",
        },
        defaults={"forceDestroy": False, "objectLockEnabled": False},
        naming=Naming("bucket", 63, lowercase=True),
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _OF_A_BUCKET,
    "aws:s3/bucketPolicy:BucketPolicy": _OF_A_BUCKET,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _OF_A_BUCKET
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _OF_A_BUCKET,
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _OF_A_BUCKET,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _OF_A_BUCKET,
    "aws:s3/bucketLogging:BucketLogging": _OF_A_BUCKET,
    "aws:s3/bucketVersioning:BucketVersioning": _OF_A_BUCKET,
    "aws:secretsmanager/secret:Secret": ResourceType(
        "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{hex6}",
        {"arn": "{id}", "policy": ""},
        defaults={"recoveryWindowInDays": 30},
        naming=Naming(longest=512),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": ResourceType(
        "{secretId}|terraform-{hex26}",
        {
            "secretArn": "{secretId}",
            "versionId": lambda facts: facts.id.rpartition("|")[2],
            "versionStages": lambda _facts: ["AWSCURRENT"],
        },
        tagged=False,
    ),
    "aws:kms/key:Key": ResourceType(
        lambda facts: "-".join(
            facts.fill("{hex32}")[start:end]
            for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
        ),
        {"arn": "arn:{partition}:kms:{region}:{account}:key/{id}", "keyId": "{id}", "policy": ""},
        defaults={
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "isEnabled": True,
            "keyUsage": "ENCRYPT_DECRYPT",
            "multiRegion": False,
        },
    ),
}
