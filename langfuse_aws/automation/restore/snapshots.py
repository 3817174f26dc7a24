"""Looks at snapshots, and refuses those that a store cannot begin with."""

import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.components.protection.snapshots import (
    DatabaseSnapshot,
    snapshot_type,
    too_large,
)

SNAPSHOT_ID: Final = re.compile(r"snap-[0-9a-f]{8,17}")


def volume_snapshot(deployed: Deployed, snapshot_id: str, volume_gib: int) -> dict[str, Any]:
    """Describe an EBS snapshot, which must be one that a volume of this size can be made from."""
    if not SNAPSHOT_ID.fullmatch(snapshot_id):
        raise UserError(
            f"--snapshot {snapshot_id}: is not an EBS snapshot, as snap-0123456789abcdef0 is. "
            "aws ec2 describe-snapshots --owner-ids self shows them."
        )
    ec2 = deployed.aws("ec2")
    snapshot = _found(
        lambda: ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"],
        "InvalidSnapshot.NotFound",
    )
    if snapshot is None:
        raise UserError(
            f"--snapshot {snapshot_id}: there is none in {deployed.region}. Copy it there, or see "
            "aws ec2 describe-snapshots --owner-ids self."
        )
    if snapshot["State"] != "completed":
        raise UserError(
            f"--snapshot {snapshot_id}: is {snapshot['State']}, {snapshot.get('Progress') or '0%'} "
            "done, not completed. Wait for it, or take another one."
        )
    if snapshot.get("StorageTier") == "archive":
        raise UserError(
            f"--snapshot {snapshot_id}: is archived. Get it back first, which takes up to 3 days: "
            f"aws ec2 restore-snapshot-tier --snapshot-id {snapshot_id} --permanent-restore."
        )
    if snapshot["VolumeSize"] > volume_gib:
        raise UserError(
            f"--snapshot {snapshot_id}: {too_large(snapshot['VolumeSize'], volume_gib)}"
        )
    return snapshot


def database_snapshot(deployed: Deployed, identifier: str, *, aurora: bool) -> dict[str, Any]:
    """Describe an RDS snapshot, which must be one that this kind of database can be made from."""
    rds = deployed.aws("rds")
    snapshot = (_of_cluster if aurora else _of_instance)(rds, identifier)
    other = None if snapshot else (_of_instance if aurora else _of_cluster)(rds, identifier)
    found = snapshot or other
    if found is None:
        kind = "db-cluster" if aurora else "db"
        raise UserError(
            f"--snapshot {identifier}: there is none in {deployed.region}. See aws rds describe-"
            f"{kind}-snapshots."
        )
    obstacle = DatabaseSnapshot(
        identifier,
        found["Engine"],
        found["EngineVersion"],
        found["Status"],
        found["StorageEncrypted" if "StorageEncrypted" in found else "Encrypted"],
        found["AllocatedStorage"],
        found["MasterUsername"],
        _first_database(rds, snapshot, aurora=aurora) if snapshot else None,
    ).obstacle(
        "aurora-postgresql" if aurora else "postgres", pauses=deployed.settings.postgres.pauses
    )
    if obstacle is not None:
        raise UserError(f"--snapshot {identifier}: {obstacle}")
    return found


def _first_database(rds: Any, snapshot: dict[str, Any], *, aurora: bool) -> str | None:
    """Name the database that was made first, if what was snapshotted is still there.

    A snapshot does not tell it. Prisma would make Langfuse's, an empty one, beside another.
    """
    if aurora:
        name = snapshot["DBClusterIdentifier"]
        source = _found(
            lambda: rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"],
            "DBClusterNotFoundFault",
        )
        kept, database = "DbClusterResourceId", "DatabaseName"
    else:
        name = snapshot["DBInstanceIdentifier"]
        source = _found(
            lambda: rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"],
            "DBInstanceNotFound",
        )
        kept, database = "DbiResourceId", "DBName"
    if source is None or source[kept] != snapshot.get(kept):
        return None
    return source.get(database)


def _of_cluster(rds: Any, identifier: str) -> dict[str, Any] | None:
    asked = {
        "DBClusterSnapshotIdentifier": identifier,
        **_of_type(identifier, "aurora-postgresql"),
    }
    return _found(
        lambda: rds.describe_db_cluster_snapshots(**asked)["DBClusterSnapshots"],
        "DBClusterSnapshotNotFoundFault",
    )


def _of_instance(rds: Any, identifier: str) -> dict[str, Any] | None:
    asked = {"DBSnapshotIdentifier": identifier, **_of_type(identifier, "postgres")}
    return _found(
        lambda: rds.describe_db_snapshots(**asked)["DBSnapshots"],
        "DBSnapshotNotFound",
    )


def _of_type(identifier: str, engine: str) -> dict[str, str]:
    kind = snapshot_type(identifier, engine)
    return {"SnapshotType": kind} if kind else {}


def _found(describe: Callable[[], list[dict[str, Any]]], unknown: str) -> dict[str, Any] | None:
    """Give the first one, or None if AWS does not know it or does not call it a name."""
    try:
        return next(iter(describe()), None)
    except ClientError as error:
        if error.response["Error"]["Code"] not in (unknown, "InvalidParameterValue"):
            raise
        return None
