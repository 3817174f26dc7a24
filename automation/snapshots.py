"""Looks at snapshots, and refuses those that a store cannot begin with."""

import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from automation.deployed import Deployed
from automation.plan import UserError
from settings.releases import POSTGRES_MAJOR

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
            f"--snapshot {snapshot_id}: has {snapshot['VolumeSize']} GiB, more than the volume's "
            f"{volume_gib} GiB. pulumi config set --path langfuse:clickhouse.volumeGib "
            f"{snapshot['VolumeSize']}, then this command again."
        )
    return snapshot


def database_snapshot(deployed: Deployed, identifier: str, *, aurora: bool) -> dict[str, Any]:
    """Describe an RDS snapshot, which must be one that this kind of database can be made from."""
    rds = deployed.aws("rds")
    snapshot = (_of_cluster if aurora else _of_instance)(rds, identifier)
    other = None if snapshot else (_of_instance if aurora else _of_cluster)(rds, identifier)
    mode, engine = ("auroraServerless", "aurora-postgresql") if aurora else ("instance", "postgres")
    if snapshot is None and other is None:
        kind = "db-cluster" if aurora else "db"
        raise UserError(
            f"--snapshot {identifier}: there is none in {deployed.region}. See aws rds describe-"
            f"{kind}-snapshots."
        )
    if snapshot is None or snapshot["Engine"] != engine:
        held = (snapshot or other or {})["Engine"]
        raise UserError(
            f"--snapshot {identifier}: is of {held}, and langfuse:postgres.mode {mode} begins with "
            f"one of {engine}. Choose another one, or set the mode that it is of."
        )
    if snapshot["Status"] != "available":
        raise UserError(
            f"--snapshot {identifier}: is {snapshot['Status']}, not available. Wait for it, or "
            "choose another one."
        )
    major = str(snapshot["EngineVersion"]).split(".")[0]
    if major != POSTGRES_MAJOR:
        raise UserError(
            f"--snapshot {identifier}: is of PostgreSQL {major}, and the stack runs "
            f"{POSTGRES_MAJOR}. Restore it beside the stack, upgrade it there, and take a snapshot "
            "of that."
        )
    if not snapshot["StorageEncrypted" if aurora else "Encrypted"]:
        raise UserError(
            f"--snapshot {identifier}: is not encrypted, and the stack's databases are. Copy it "
            f"with a key: aws rds copy-db-{'cluster-' if aurora else ''}snapshot --kms-key-id …."
        )
    return snapshot


def _of_cluster(rds: Any, identifier: str) -> dict[str, Any] | None:
    return _found(
        lambda: rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=identifier)[
            "DBClusterSnapshots"
        ],
        "DBClusterSnapshotNotFoundFault",
    )


def _of_instance(rds: Any, identifier: str) -> dict[str, Any] | None:
    return _found(
        lambda: rds.describe_db_snapshots(DBSnapshotIdentifier=identifier)["DBSnapshots"],
        "DBSnapshotNotFound",
    )


def _found(describe: Callable[[], list[dict[str, Any]]], unknown: str) -> dict[str, Any] | None:
    """Give the first one, or None if AWS does not know it or does not call it a name."""
    try:
        return next(iter(describe()), None)
    except ClientError as error:
        if error.response["Error"]["Code"] not in (unknown, "InvalidParameterValue"):
            raise
        return None
