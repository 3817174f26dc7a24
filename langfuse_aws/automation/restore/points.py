"""What a store can be restored from: its snapshots, newest first, whoever has made them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from langfuse_aws.automation.aws.snapshot_names import LABEL_TAG
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.settings.installation import COMMAND

LATEST: Final = "latest"
"""Stands for the newest that is complete."""
TAKE_ONE: Final = f"{COMMAND} snapshot --stack {{stack}} takes one of every store."
"""What to do about a store without a snapshot, by the name of its stack."""

AWS_BACKUP: Final = "AWS Backup"
BY_HAND: Final = "by hand"
SNAPSHOT: Final = "snapshot"
"""The command."""
FINAL: Final = re.compile(r"-final-[0-9a-f]{8}$")
"""As `langfuse_aws.components.protection.snapshots` names them."""


@dataclass(frozen=True)
class RestorePoint:
    """Something that a store can be restored from."""

    identifier: str
    """What `--snapshot` takes."""
    taken: datetime | None
    """None: it is being taken."""
    made_by: str
    state: str
    """AWS's word."""
    complete: bool
    size_gib: int | None = None
    """None: AWS does not tell."""
    label: str = ""


def of_volume(deployed: Deployed, volume_ids: Iterable[str], name: str) -> Sequence[RestorePoint]:
    """List the EBS snapshots of the volumes, and of those before them, which had the same name."""
    pages = deployed.aws("ec2").get_paginator("describe_snapshots")
    filters = (
        {"Name": "volume-id", "Values": list(volume_ids)},
        {"Name": "tag:Name", "Values": [name]},
    )
    found: dict[str, RestorePoint] = {}
    for each in filters:
        for page in pages.paginate(OwnerIds=["self"], Filters=[each]):
            for snapshot in page["Snapshots"]:
                found[snapshot["SnapshotId"]] = _ebs(snapshot)
    return _newest_first(found.values())


def of_database(deployed: Deployed, name: str, *, aurora: bool) -> Sequence[RestorePoint]:
    """List the snapshots of the cluster or instance, and of those before it."""
    rds = deployed.aws("rds")
    if aurora:
        # RDS counts those of AWS Backup among the others.
        asked, kinds = "describe_db_cluster_snapshots", [None]
        key, identifier, source = (
            "DBClusterSnapshots",
            "DBClusterSnapshotIdentifier",
            "DBClusterIdentifier",
        )
    else:
        asked, kinds = "describe_db_snapshots", [None, "awsbackup"]
        key, identifier, source = "DBSnapshots", "DBSnapshotIdentifier", "DBInstanceIdentifier"
    # Pulumi's provider puts no hyphen before the digits of an instance's name.
    own = re.compile(rf"{re.escape(name)}(-[0-9a-z]+|[0-9a-f]{{7}})?")
    found: dict[str, RestorePoint] = {}
    for kind in kinds:
        query = {"SnapshotType": kind} if kind else {}
        for page in rds.get_paginator(asked).paginate(**query):
            for snapshot in page[key]:
                if own.fullmatch(snapshot[source]):
                    found[snapshot[identifier]] = _rds(
                        snapshot, snapshot[identifier], aurora=aurora
                    )
    return _newest_first(found.values())


def newest(points: Sequence[RestorePoint], stack: str, store: str) -> str:
    """The identifier of the newest that is complete. UserError if none is."""
    for point in points:
        if point.complete:
            return point.identifier
    raise UserError(
        f"--snapshot {LATEST}: stack {stack} has no complete snapshot of its {store}. "
        f"{TAKE_ONE.format(stack=stack)}"
    )


def _ebs(snapshot: Mapping[str, Any]) -> RestorePoint:
    described = snapshot.get("Description", "")
    tags = {each["Key"]: each["Value"] for each in snapshot.get("Tags", [])}
    made_by = BY_HAND
    if LABEL_TAG in tags:
        made_by = SNAPSHOT
    elif any(key.startswith("aws:backup:") for key in tags) or AWS_BACKUP in described:
        made_by = AWS_BACKUP
    return RestorePoint(
        identifier=snapshot["SnapshotId"],
        taken=snapshot["StartTime"],
        made_by=made_by,
        state=snapshot["State"],
        complete=snapshot["State"] == "completed" and snapshot.get("StorageTier") != "archive",
        size_gib=snapshot["VolumeSize"],
        label=tags.get(LABEL_TAG, ""),
    )


def _rds(snapshot: Mapping[str, Any], identifier: str, *, aurora: bool) -> RestorePoint:
    tags = {each["Key"]: each["Value"] for each in snapshot.get("TagList", [])}
    made_by = BY_HAND
    if identifier.startswith("awsbackup:"):
        made_by = AWS_BACKUP
    elif snapshot.get("SnapshotType") == "automated":
        made_by = "RDS, daily"
    elif LABEL_TAG in tags:
        made_by = SNAPSHOT
    elif FINAL.search(identifier):
        made_by = "final snapshot"
    return RestorePoint(
        identifier=identifier,
        taken=snapshot.get("OriginalSnapshotCreateTime") or snapshot.get("SnapshotCreateTime"),
        made_by=made_by,
        state=snapshot["Status"],
        complete=snapshot["Status"] == "available",
        # Of Aurora, AWS says 1 for any size.
        size_gib=None if aurora else snapshot["AllocatedStorage"],
        label=tags.get(LABEL_TAG, ""),
    )


def _newest_first(found: Iterable[RestorePoint]) -> Sequence[RestorePoint]:
    return sorted(found, key=lambda each: (each.taken or _NOW, each.identifier), reverse=True)


_NOW: Final = datetime.max.replace(tzinfo=timezone.utc)
