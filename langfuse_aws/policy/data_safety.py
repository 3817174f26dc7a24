"""Rules on losing data: protection, backups, a queue that keeps its jobs."""

from collections.abc import Iterator, Mapping
from typing import Final

from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import (
    DB_CLUSTER,
    DB_INSTANCE,
    EBS_VOLUME,
    RESOURCE_TYPES,
    S3_BUCKET,
)
from langfuse_aws.policy.inputs import is_known, part, parts
from langfuse_aws.policy.parameters import wrong_parameter
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

BUCKET_ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
KEY: Final = "aws:kms/key:Key"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
SECRET_STORE: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105

PROTECTED: Final[Mapping[str, Mapping[str, bool]]] = {
    token: facts.protected_by
    for token, facts in RESOURCE_TYPES.items()
    if facts.bears != "nothing" and token != "random:index/randomPassword:RandomPassword"  # noqa: S105
}
"""Types that bear data, or a key without which data cannot be read; and whether an input must be
set or not, by which AWS protects it. A password can be had again."""

KEYS_OF_DATA: Final = "-keys"
"""How the secret with Langfuse's own keys is named; other secrets can be had again."""

LEAST_BACKUP_DAYS: Final = 7


def _unprotected(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    if not stack.protected or not _bears_data(resource, stack):
        return
    if not resource.protect:
        yield "protect is not set, with langfuse:deletionProtection"
    for key, demanded in PROTECTED[resource.type].items():
        given = resource.inputs.get(key)
        if is_known(given) and bool(given) is not demanded:
            yield f"{key} is {'not set' if demanded else 'set'}, with langfuse:deletionProtection"


def _bears_data(resource: Resource, stack: JudgedStack) -> bool:
    if resource.type == SECRET_STORE:
        return resource.name.endswith(KEYS_OF_DATA)
    return resource.type != KEY or bool(stack.attached(resource, BUCKET_ENCRYPTION, "rules"))


def _evicting_cache(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    yield from wrong_parameter(resource, stack, "maxmemory-policy", "noeviction")


def _volume_without_backup(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    selections = stack.graph.of_type("aws:backup/selection:Selection")
    by_tag = any(parts(each.inputs, "selectionTags") for each in selections)
    named = stack.attached(resource, "aws:backup/selection:Selection", "resources")
    if not named and not by_tag:
        yield "no backup selection has the volume"


def _short_backups(resource: Resource) -> Iterator[str]:
    days = resource.inputs.get("backupRetentionPeriod") or 1
    if resource.inputs.get("replicateSourceDb"):
        return
    if is_known(days) and days < LEAST_BACKUP_DAYS:
        yield f"backups are kept {days:.0f} days"


def _versions_for_ever(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    if part(resource.inputs, "versioningConfiguration").get("status") != "Enabled":
        return
    rules = [
        rule
        for bucket in stack.graph.origins(resource, "bucket", S3_BUCKET)
        for lifecycle in stack.attached(bucket, LIFECYCLE, "bucket")
        for rule in parts(lifecycle.inputs, "rules")
    ]
    if not any(rule.get("noncurrentVersionExpiration") for rule in rules):
        yield "no lifecycle rule expires old versions"


RULES: Final[tuple[Rule, ...]] = (
    StackRule(
        id="data-protected",
        what="With langfuse:deletionProtection, everything that bears data is protected.",
        why="langfuse-with-aws-cdk destroys the database, bucket and volume of its prod with the "
        "stack; two more take no final snapshot.",
        remedy="Pass deletion_protection on to it",
        types=tuple(PROTECTED),
        check=_unprotected,
    ),
    StackRule(
        id="cache-never-evicts",
        what="Valkey's maxmemory-policy is noeviction.",
        why="The queue is in it. AWS's default parameter group drops jobs when memory is short, "
        "and traces are lost; four other projects have it.",
        remedy="Set maxmemory-policy to noeviction in a parameter group of the stack's own",
        types=(
            "aws:elasticache/replicationGroup:ReplicationGroup",
            "aws:elasticache/cluster:Cluster",
        ),
        check=_evicting_cache,
    ),
    StackRule(
        id="volume-backed-up",
        what="Every EBS volume is in a backup selection.",
        why="The volume has every trace, and no other project backs it up.",
        remedy="Add the volume to a selection of AWS Backup",
        types=(EBS_VOLUME,),
        check=_volume_without_backup,
    ),
    ResourceRule(
        id="database-backups-kept",
        what=f"PostgreSQL's backups are kept {LEAST_BACKUP_DAYS} days or longer.",
        why="langfuse-with-aws-cdk keeps one day: a mistake on Friday is past recovery on Monday.",
        remedy="Set langfuse:postgres.backupRetentionDays",
        types=(DB_CLUSTER, DB_INSTANCE),
        level="advisory",
        check=_short_backups,
    ),
    StackRule(
        id="old-versions-expire",
        what="A bucket with versions expires the old ones.",
        why="langfuse-terraform-aws s3.tf keeps every version, and pays for it, for ever.",
        remedy="Add a lifecycle rule with noncurrentVersionExpiration",
        types=("aws:s3/bucketVersioning:BucketVersioning",),
        check=_versions_for_ever,
    ),
)
