"""Data at rest."""

from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.resource_types import LAUNCH_TEMPLATE
from langfuse_aws.policy.encryption import BUCKET_ENCRYPTION, INSTANCE, SWITCHES, TOPIC
from tests.unit.policy_cases import Case, broken, kept, made

BUCKET: Final = made("aws:s3/bucket:Bucket")
KEY: Final = "aws:kms/key:Key"


def template(**ebs: Any) -> Resource:
    mapping = {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 30, **ebs}}
    return made(LAUNCH_TEMPLATE, {"blockDeviceMappings": [mapping]})


CASES: Final[tuple[Case, ...]] = (
    *(
        case
        for token, switch in SWITCHES.items()
        for case in (
            broken("store-encrypted", f"{switch} is not true", made(token)),
            broken("store-encrypted", f"{switch} is not true", made(token, {switch: False})),
            kept("store-encrypted", made(token, {switch: True})),
            kept("store-encrypted", made(token, {switch: UNKNOWN})),
        )
    ),
    broken("disk-encrypted", "the root device is not encrypted", made(LAUNCH_TEMPLATE)),
    broken("disk-encrypted", "device /dev/xvda is not encrypted", template()),
    broken("disk-encrypted", "device /dev/xvda is not encrypted", template(encrypted="false")),
    broken("disk-encrypted", "the root device is not encrypted", made(INSTANCE)),
    broken(
        "disk-encrypted",
        "device /dev/sdf is not encrypted",
        made(
            INSTANCE,
            {
                "rootBlockDevice": {"encrypted": True},
                "ebsBlockDevices": [{"deviceName": "/dev/sdf"}],
            },
        ),
    ),
    kept("disk-encrypted", template(encrypted="true")),
    kept("disk-encrypted", made(INSTANCE, {"rootBlockDevice": {"encrypted": True}})),
    broken("bucket-encrypted", "nothing says how the bucket is encrypted", BUCKET),
    kept("bucket-encrypted", BUCKET, made(BUCKET_ENCRYPTION, bucket=BUCKET)),
    broken("topic-encrypted", "the topic has no KMS key", made(TOPIC)),
    kept("topic-encrypted", made(TOPIC, {"kmsMasterKeyId": UNKNOWN})),
    broken("key-rotates", "enableKeyRotation is not true", made(KEY)),
    kept("key-rotates", made(KEY, {"enableKeyRotation": True})),
    kept("key-rotates", made(KEY, {"customerMasterKeySpec": "RSA_2048"})),
    kept("key-rotates", made(KEY, {"keyUsage": "SIGN_VERIFY"})),
)
