"""Losing data."""

from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.policy.data_safety import (
    BUCKET_ENCRYPTION,
    KEY,
    LIFECYCLE,
    PROTECTED,
    SECRET_STORE,
)
from tests.unit.policy_cases import Case, broken, kept, made

SETTING: Final = "langfuse:deletionProtection"
SIMPLE: Final = {
    key: demands for key, demands in PROTECTED.items() if key not in (KEY, SECRET_STORE)
}
KEY_MADE: Final = made(KEY)
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
GROUP: Final = "aws:elasticache/parameterGroup:ParameterGroup"
VOLUME: Final = made("aws:ebs/volume:Volume")
SELECTION: Final = "aws:backup/selection:Selection"
CLUSTER: Final = "aws:rds/cluster:Cluster"
BUCKET: Final = made("aws:s3/bucket:Bucket")
VERSIONS: Final = "aws:s3/bucketVersioning:BucketVersioning"


def told(demands: Any, wrong: str = "") -> dict[str, bool]:
    return {key: demand is (key != wrong) for key, demand in demands.items()}


def cache(value: str) -> tuple[Resource, Resource]:
    parameters = [{"name": "maxmemory-policy", "value": value}]
    group = made(GROUP, {"parameters": parameters}, name="group")
    return made(CACHE, {"parameterGroupName": "group-1"}, parameterGroupName=group), group


def versions(status: str, **rule: Any) -> tuple[Resource, Resource, Resource]:
    return (
        made(VERSIONS, {"versioningConfiguration": {"status": status}}, bucket=BUCKET),
        BUCKET,
        made(LIFECYCLE, {"rules": [{"status": "Enabled", **rule}]}, bucket=BUCKET),
    )


CASES: Final[tuple[Case, ...]] = (
    *(
        case
        for token, demands in SIMPLE.items()
        for case in (
            broken(
                "data-protected",
                f"protect is not set, with {SETTING}",
                made(token, told(demands)),
                protected=True,
            ),
            kept("data-protected", made(token, told(demands), protect=True), protected=True),
            kept("data-protected", made(token), protected=False),
        )
    ),
    *(
        broken(
            "data-protected",
            f"{key} is {'not set' if demand else 'set'}, with {SETTING}",
            made(token, told(demands, wrong=key), protect=True),
            protected=True,
        )
        for token, demands in SIMPLE.items()
        for key, demand in demands.items()
    ),
    broken(
        "data-protected",
        f"protect is not set, with {SETTING}",
        made(SECRET_STORE, name="langfuse-prod-keys"),
        protected=True,
    ),
    kept("data-protected", made(SECRET_STORE, name="langfuse-prod-bootstrap"), protected=True),
    broken(
        "data-protected",
        f"protect is not set, with {SETTING}",
        KEY_MADE,
        made(BUCKET_ENCRYPTION, rules=KEY_MADE),
        protected=True,
    ),
    kept("data-protected", KEY_MADE, protected=True),
    kept(
        "data-protected",
        made(CACHE, {"finalSnapshotIdentifier": UNKNOWN}, protect=True),
        protected=True,
    ),
    broken(
        "cache-never-evicts",
        "it uses AWS's default parameter group, in which maxmemory-policy is not noeviction",
        made(CACHE, {"parameterGroupName": "default.valkey8"}),
    ),
    broken(
        "cache-never-evicts",
        "it uses AWS's default parameter group, in which maxmemory-policy is not noeviction",
        made("aws:elasticache/cluster:Cluster"),
    ),
    broken(
        "cache-never-evicts",
        "parameter group group does not set maxmemory-policy to noeviction",
        *cache("volatile-lru"),
    ),
    kept("cache-never-evicts", *cache("noeviction")),
    broken("volume-backed-up", "no backup selection has the volume", VOLUME),
    broken(
        "volume-backed-up",
        "no backup selection has the volume",
        VOLUME,
        made(SELECTION, resources=made("aws:ebs/volume:Volume", name="another")),
    ),
    kept("volume-backed-up", VOLUME, made(SELECTION, resources=VOLUME)),
    kept("volume-backed-up", VOLUME, made(SELECTION, {"selectionTags": [{"key": "a"}]})),
    broken("database-backups-kept", "backups are kept 1 days", made(CLUSTER)),
    broken(
        "database-backups-kept",
        "backups are kept 6 days",
        made("aws:rds/instance:Instance", {"backupRetentionPeriod": 6}),
    ),
    kept("database-backups-kept", made(CLUSTER, {"backupRetentionPeriod": 7.0})),
    kept("database-backups-kept", made("aws:rds/instance:Instance", {"replicateSourceDb": "a"})),
    broken(
        "old-versions-expire",
        "no lifecycle rule expires old versions",
        *versions("Enabled", expiration={"days": 35}),
    ),
    broken(
        "old-versions-expire", "no lifecycle rule expires old versions", *versions("Enabled")[:2]
    ),
    kept("old-versions-expire", *versions("Enabled", noncurrentVersionExpiration={"days": 7})),
    kept("old-versions-expire", *versions("Suspended")),
)
