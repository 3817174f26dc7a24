"""Rules on data at rest.

Log groups, secrets and backup vaults are left out: AWS always encrypts them.
"""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import LAUNCH_TEMPLATE, RESOURCE_TYPES, S3_BUCKET
from langfuse_aws.policy.inputs import Values, is_off, part, parts
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

SWITCHES: Final = {
    token: facts.encrypted_by for token, facts in RESOURCE_TYPES.items() if facts.encrypted_by
} | {
    "aws:efs/fileSystem:FileSystem": "encrypted",  # of no stack of this program
}
"""The input that switches encryption on, by type."""

BUCKET_ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
INSTANCE: Final = "aws:ec2/instance:Instance"
TOPIC: Final = "aws:sns/topic:Topic"


def _store_in_clear(resource: Resource) -> Iterator[str]:
    switch = SWITCHES[resource.type]
    if is_off(resource.inputs, switch):
        yield f"{switch} is not true"


def _disk_in_clear(resource: Resource) -> Iterator[str]:
    for name, disk in _disks(resource):
        if is_off(disk, "encrypted"):
            yield f"{name} is not encrypted"


def _disks(resource: Resource) -> Iterator[tuple[str, Values]]:
    inputs = resource.inputs
    if resource.type == INSTANCE:
        yield "the root device", part(inputs, "rootBlockDevice")
        for device in parts(inputs, "ebsBlockDevices"):
            yield f"device {device.get('deviceName')}", device
        return
    mappings = parts(inputs, "blockDeviceMappings")
    if not mappings:
        yield "the root device", {}
    for mapping in mappings:
        yield f"device {mapping.get('deviceName')}", part(mapping, "ebs")


def _bucket_in_clear(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    if not stack.attached(resource, BUCKET_ENCRYPTION, "bucket"):
        yield "nothing says how the bucket is encrypted"


def _topic_in_clear(resource: Resource) -> Iterator[str]:
    if not resource.inputs.get("kmsMasterKeyId"):
        yield "the topic has no KMS key"


def _key_without_rotation(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    symmetric = inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    encrypts = inputs.get("keyUsage", "ENCRYPT_DECRYPT") == "ENCRYPT_DECRYPT"
    if symmetric and encrypts and is_off(inputs, "enableKeyRotation"):
        yield "enableKeyRotation is not true"


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="store-encrypted",
        what="Volumes, file systems, databases and caches are encrypted.",
        why="A copied snapshot or a disposed disk is readable. It cannot be switched on later: "
        "the store has to be replaced.",
        remedy="Switch it on before the store is made",
        types=tuple(SWITCHES),
        check=_store_in_clear,
    ),
    ResourceRule(
        id="disk-encrypted",
        what="The disks of EC2 instances are encrypted, the root devices too.",
        why="Logs and images of tasks are on the root device, which is in the clear by default.",
        remedy="Set encrypted for each device",
        types=(INSTANCE, LAUNCH_TEMPLATE),
        check=_disk_in_clear,
    ),
    StackRule(
        id="bucket-encrypted",
        what="Every bucket says how it is encrypted.",
        why="Without a configuration nobody can tell a key of the stack's own from S3's.",
        remedy="Give the bucket a BucketServerSideEncryptionConfiguration",
        types=(S3_BUCKET,),
        check=_bucket_in_clear,
    ),
    ResourceRule(
        id="topic-encrypted",
        what="Every SNS topic has a KMS key.",
        why="Messages name hosts and faults, and SNS does not encrypt them by default.",
        remedy="Set kmsMasterKeyId",
        types=(TOPIC,),
        check=_topic_in_clear,
    ),
    ResourceRule(
        id="key-rotates",
        what="KMS keys rotate.",
        why="A key that leaked once opens what is written years later.",
        remedy="Set enableKeyRotation",
        types=("aws:kms/key:Key",),
        check=_key_without_rotation,
    ),
)
